"""What becomes of keys by the clock: rotations are planned, told, made, and their overlaps ended."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import key_uses, rotating
from accounts.actions import key_notices, rotations
from accounts.models import ApiKey, RetiringSecret, SecretClaim
from compliance import rows
from compliance.actions import jobs
from compliance.contracts import Actor
from compliance.errors import ActionRefused

AGAIN_BEFORE = timedelta(days=1)
"""How long before the end of an overlap it is prolonged, with a new link, when nobody has claimed the new secret."""
STILL_USED = timedelta(days=1)
"""How long before the end of an overlap it is told that the old secret is still used, and for how long that counts."""

WAITING = SecretClaim.State.WAITING

Row = TypeVar("Row", ApiKey, RetiringSecret)
Beat = Callable[[], None]
"""Tells that the run is alive."""

log = structlog.get_logger()


def _unwatched() -> None:
    pass


def tend(*, by: Actor, at: datetime | None = None) -> dict[str, int]:
    """Everything that is due; returns how many of each. Each key is a transaction of its own, so that a run that dies
    is taken up by the next.

    Raises:
        AlreadyRunning: another process is at it.
    """
    at = at or timezone.now()
    steps = (("planned", plan), ("told", tell), ("rotated", rotate_due), ("ended", end_due), ("renewed", renew_due))
    with jobs.running(kind="rotate_api_keys", by=by) as progress:
        for number, (name, step) in enumerate(steps):
            progress.result[name] = step(by=by, at=at, beat=lambda: progress.at(number, len(steps), name))  # noqa: B023
        progress.at(len(steps), len(steps))
    return progress.result


def plan(*, by: Actor, at: datetime, beat: Beat = _unwatched) -> int:
    """Sets when keys are due, by the terms of their tenants; returns how many were set anew."""
    return _each(rotating.in_use(at=at).order_by("pk"), lambda key: _plan(key, at, by=by), beat)


def tell(*, by: Actor, at: datetime, beat: Beat = _unwatched) -> int:
    """Notices of rotations and expiries that are near, and of old secrets that end while they are used; returns how
    many were new."""
    keys = rotating.in_use(at=at).order_by("pk")
    told = _each(keys, lambda key: key_notices.tell_of(key=key, at=at, by=by), beat)
    ends = _ends_while_used(at)
    return told + _each(ends, lambda end: key_notices.tell_of_end(secret=end, used_at=ends[end], by=by), beat)


def rotate_due(*, by: Actor, at: datetime, beat: Beat = _unwatched) -> int:
    """Rotates what is due; returns how many. One whose new secret was not claimed yet waits."""
    return _each(_due(at).order_by("pk"), lambda key: _rotate(key, at, by=by), beat)


def end_due(*, by: Actor, at: datetime, beat: Beat = _unwatched) -> int:
    """Ends secrets whose overlap is over, but for those whose successor nobody has claimed; returns how many."""
    over = RetiringSecret.objects.filter(ends_at__lte=at, ended_at=None).exclude(claims__state=WAITING)
    reason = "the overlap is over"
    return _each(over.order_by("pk"), lambda each: rotations.end_secrets(secrets=[each], by=by, reason=reason), beat)


def renew_due(*, by: Actor, at: datetime, beat: Beat = _unwatched) -> int:
    """Renews links that are about to end while nobody has claimed the new secret, which prolongs the overlap, and tells
    of them; returns how many."""
    soon = at + AGAIN_BEFORE
    ends = Q(expires_at__lte=soon) | Q(replaces__ends_at__lte=soon, replaces__ended_at=None)
    late = SecretClaim.objects.filter(ends, state=WAITING)
    keys = ApiKey.objects.filter(pk__in=late.values("key")).exclude(status=ApiKey.Status.REVOKED)
    reason = "nobody has claimed the new secret"
    return _each(keys.order_by("pk"), lambda key: rotations.renew_link(key=key, by=by, reason=reason) is not None, beat)


def _each(rows: Iterable[Row], act: Callable[[Row], int], beat: Beat) -> int:
    """How many of the rows something was done with. One that is refused, or that somebody else was faster with, does
    not keep the others waiting."""
    done = 0
    for row in list(rows):
        try:
            done += act(row)
        except (ActionRefused, ValidationError) as error:
            log.error("a key was left as it is", kind=type(row).__name__, name=str(row.pk), error=type(error).__name__)
        beat()
    return done


def _due(at: datetime) -> QuerySet[ApiKey]:
    return rotating.in_use(at=at).filter(rotation_due_at__lte=at).exclude(claims__state=WAITING)


def _ends_while_used(at: datetime) -> dict[RetiringSecret, datetime]:
    """The old secrets that end within a day, and when they were last used, if that is not long ago."""
    ending = RetiringSecret.objects.filter(ended_at=None, ends_at__gt=at, ends_at__lte=at + STILL_USED)
    ending = ending.exclude(claims__state=WAITING).filter(key__in=rotating.in_use(at=at))
    secrets = {each.public_id: each for each in ending.select_related("key__application__tenant").order_by("pk")}
    used = key_uses.of_secrets(list(secrets))
    return {secrets[public_id]: used_at for public_id, used_at in used.items() if used_at > at - STILL_USED}


@transaction.atomic
def _plan(key: ApiKey, at: datetime, *, by: Actor) -> bool:
    days = rotating.rotation_days(key.tenant)
    planned = key.rotation_due_at
    due = rotating.next_rotation(since=key.secret_since, days=days, planned=planned, at=at)
    if due == planned:
        return False
    key_notices.rotation_is_over(key=key, by=by)
    key.rotation_due_at = due
    rows.change(key, by=by, verb="rotation_planned", fields=("rotation_due_at",))
    return True


@transaction.atomic
def _rotate(key: ApiKey, at: datetime, *, by: Actor) -> bool:
    """Unless somebody else did meanwhile."""
    still = _due(at).filter(pk=key.pk).select_for_update(of=("self",)).first()
    if still is not None:
        rotations.rotate(key=still, by=by, reason="by schedule")
    return still is not None
