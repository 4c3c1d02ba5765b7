"""Moves of a subject request from one state to the next: what every other action on requests is made of."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from compliance import audit
from compliance.contracts import Actor
from compliance.deadlines import local_day
from compliance.errors import IllegalMove
from compliance.models import SubjectRequest, SubjectRequestEvent
from compliance.request_clock import set_deadlines, stops_clock
from compliance.request_states import CLOSED, NEXT, State, is_legal
from compliance.selectors_requests import locked

Kind = SubjectRequestEvent.Kind


@transaction.atomic
def move(
    *,
    request: SubjectRequest,
    to: State,
    by: Actor,
    reason: str = "",
    changes: dict[str, Any] | None = None,
    details: dict[str, Any] | None = None,
) -> SubjectRequest:
    """Moves a request, with `changes` to other columns in the same stroke, into its history and the audit log.

    Args:
        details: what its history says of the move beside the reason.

    Raises:
        IllegalMove: the table of states does not have this move, seen from where the request is now.
    """
    row = locked(request)
    before = State(row.state)
    if not is_legal(before, to):
        raise IllegalMove(_no_way(before, to), param="state")
    now = timezone.now()
    for name, value in (changes or {}).items():
        setattr(row, name, value)
    row.state_before, row.state, row.state_since = before.value, to.value, now
    row.closed_at = now if to in CLOSED else None
    _keep_time(row, to, now, by)
    row.save()
    remember(request=row, kind=Kind.MOVED, by=by, reason=reason, before=before.value, after=to.value, details=details)
    _audited(row, to.value, by=by, before={"state": before.value}, reason=reason)
    return row


@transaction.atomic
def remember(
    *,
    request: SubjectRequest,
    kind: SubjectRequestEvent.Kind,
    by: Actor,
    reason: str = "",
    before: str = "",
    after: str = "",
    details: dict[str, Any] | None = None,
) -> SubjectRequestEvent:
    """Adds to a request's history."""
    return SubjectRequestEvent.objects.create(
        request=request,
        kind=kind,
        before=before,
        after=after,
        by=f"{by.kind} {by.id}",
        reason=reason,
        details=details or {},
    )


@transaction.atomic
def noted(*, request: SubjectRequest, verb: str, by: Actor, reason: str = "") -> None:
    """Adds to the audit log what happened to a request without moving it."""
    _audited(request, verb, by=by, before={}, reason=reason)


# --- the clock ---------------------------------------------------------------------------------------------------


def _keep_time(row: SubjectRequest, to: State, now: datetime, by: Actor) -> None:
    """Stops the clock where the regime stops it in that state, and lets it go on where it stood."""
    stops = stops_clock(row, to)
    if stops and row.paused_since is None:
        row.paused_since = now
        remember(request=row, kind=Kind.PAUSED, by=by)
    elif not stops and row.paused_since is not None:
        days = (local_day(now, row.zone) - local_day(row.paused_since, row.zone)).days
        row.paused_since, row.paused_days = None, row.paused_days + days
        set_deadlines(row)
        remember(request=row, kind=Kind.RESUMED, by=by, details={"days": days, "due_on": row.due_on.isoformat()})


# --- words -------------------------------------------------------------------------------------------------------


def _no_way(before: State, to: State) -> str:
    ways = ", ".join(state.label.lower() for state in NEXT[before])
    now = f"The request is {before.label.lower()}"
    return f"{now}, so it cannot become {to.label.lower()}." + (
        f" It can become: {ways}." if ways else " It is closed."
    )


def _audited(row: SubjectRequest, verb: str, *, by: Actor, before: dict[str, Any], reason: str) -> None:
    audit.record(
        by=by,
        action=f"subjectrequest.{verb}",
        target=audit.target_of(row),
        tenant_id=row.tenant_id,
        before=before,
        after={
            "surrogate": row.subject.surrogate,
            "right": row.right,
            "state": row.state,
            "due_on": row.due_on.isoformat(),
        },
        reason=reason,
    )
