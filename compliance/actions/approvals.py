"""Grave actions: one person asks for it, another one agrees, and only then it is done."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from compliance import audit
from compliance.approvals import handlers_of
from compliance.approvals import on as on
from compliance.contracts import SYSTEM, Actor, Target
from compliance.errors import ApprovalRefused
from compliance.models import Approval

EXPIRES_IN = timedelta(days=7)


@transaction.atomic
def ask(
    *,
    action: str,
    target: Target,
    tenant_id: int | None,
    reason: str,
    by: Actor,
    details: Mapping[str, Any] | None = None,
    expires_in: timedelta = EXPIRES_IN,
) -> Approval:
    """Asks for `action` on `target`, of which one request can be open at a time.

    Raises:
        LookupError: nothing carries out that action.
        ApprovalRefused: it was asked for already, or without a reason.
    """
    handlers_of(action)
    if not reason.strip():
        raise ApprovalRefused("Say why: whoever decides has to know.")
    _expire_of(action=action, target=target)
    now = timezone.now()
    approval, is_new = Approval.objects.get_or_create(
        action=action,
        target_kind=target.kind,
        target_id=target.id,
        state=Approval.State.REQUESTED,
        defaults={
            "tenant_id": tenant_id,
            "details": dict(details or {}),
            "reason": reason,
            "requested_by": name_of(by=by),
            "expires_at": now + expires_in,
        },
    )
    if not is_new:
        raise ApprovalRefused("This was asked for already, and waits for another person's decision.")
    _record("requested", approval, by=by, reason=reason)
    return approval


@transaction.atomic
def approve(*, approval: Approval, by: Actor, reason: str = "") -> Approval:
    """Agrees, and does at once what was asked for; if that fails, nothing is approved.

    Raises:
        ApprovalRefused: it is decided already or too old, `by` is who asked for it, or no person.
        ActionRefused: what was asked for is not possible any more.
    """
    approval = _decide(approval, Approval.State.APPROVED, by=by, reason=reason)
    _record("approved", approval, by=by, reason=reason)
    handlers_of(approval.action).approved(approval, by)
    return approval


@transaction.atomic
def reject(*, approval: Approval, by: Actor, reason: str = "") -> Approval:
    """Says no. Who asked for it may take it back so, too.

    Raises:
        ApprovalRefused: it is decided already, or too old.
    """
    approval = _decide(approval, Approval.State.REJECTED, by=by, reason=reason)
    _record("rejected", approval, by=by, reason=reason)
    _drop(approval, by=by)
    return approval


def expire(*, by: Actor, at: datetime | None = None) -> int:
    """Closes what nobody decided in time; returns how many there were."""
    due = Approval.objects.filter(state=Approval.State.REQUESTED, expires_at__lte=at or timezone.now())
    return sum(_expire(pk, by=by) for pk in due.values_list("pk", flat=True))


def name_of(*, by: Actor) -> str:
    """Who acts, as `requested_by` and `decided_by` have it."""
    return f"{by.kind} {by.id}"


def _decide(approval: Approval, state: Approval.State, *, by: Actor, reason: str) -> Approval:
    """Closes the request, under a lock: of two who decide at once, the second finds it decided."""
    row = Approval.objects.select_for_update().get(pk=approval.pk)
    if row.state != Approval.State.REQUESTED:
        raise ApprovalRefused(f"It is {row.get_state_display().lower()} already.")
    if row.expires_at <= timezone.now():
        raise ApprovalRefused("Nobody decided in time. Ask for it again.")
    if state == Approval.State.APPROVED:
        _refuse_the_same(row, by)
    row.state, row.decided_at, row.decision_reason = state, timezone.now(), reason
    # The constraint wants another one than who asked; taking back is no decision of another's.
    row.decided_by = name_of(by=by) if name_of(by=by) != row.requested_by else ""
    row.save(force_update=True)
    return row


def _refuse_the_same(approval: Approval, by: Actor) -> None:
    if by.kind != "user":
        raise ApprovalRefused("Only a person who is signed in can agree.")
    if name_of(by=by) == approval.requested_by:
        raise ApprovalRefused("You asked for it yourself: another person has to agree.")


def _expire_of(*, action: str, target: Target) -> None:
    """Makes room for a new request where an old one ran out."""
    old = Approval.objects.filter(
        action=action,
        target_kind=target.kind,
        target_id=target.id,
        state=Approval.State.REQUESTED,
        expires_at__lte=timezone.now(),
    )
    for pk in old.values_list("pk", flat=True):
        _expire(pk, by=SYSTEM)


@transaction.atomic
def _expire(pk: int, *, by: Actor) -> bool:
    row = Approval.objects.select_for_update().filter(pk=pk, state=Approval.State.REQUESTED).first()
    if row is None:
        return False
    row.state, row.decided_at = Approval.State.EXPIRED, timezone.now()
    row.save(force_update=True)
    _record("expired", row, by=by)
    _drop(row, by=by)
    return True


def _drop(approval: Approval, *, by: Actor) -> None:
    dropped = handlers_of(approval.action).dropped
    if dropped is not None:
        dropped(approval, by)


def _record(verb: str, approval: Approval, *, by: Actor, reason: str = "") -> None:
    audit.record(
        by=by,
        action=f"approval.{verb}",
        target=audit.target_of(approval),
        tenant_id=approval.tenant_id,
        after={"of": approval.action, "on": f"{approval.target_kind} {approval.target_id}"},
        reason=reason,
    )
