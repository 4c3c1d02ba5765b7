"""Reminds officers of requests that are due soon or overdue, and of receipts to be confirmed: once at each level."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.utils import timezone

from compliance import officers
from compliance.actions.request_moves import Kind, remember
from compliance.contracts import Actor
from compliance.deadlines import local_day
from compliance.models import SubjectRequest
from compliance.selectors_requests import days_left, locked, open_requests


@dataclass(frozen=True, slots=True)
class Deadline:
    """One of a request's deadlines.

    Args:
        told: the column that remembers which levels were told.
        levels: days left; -1 is overdue.
        left: how many days there are; None where nothing is to be done by it.
        tell: writes to the officers, and returns whether there was somebody to write to.
    """

    told: str
    levels: tuple[int, ...]
    left: Callable[[SubjectRequest], int | None]
    tell: Callable[[SubjectRequest, int], bool]


def _until_receipt_is_confirmed(request: SubjectRequest) -> int | None:
    if request.acknowledge_by is None or request.acknowledged_at is not None:
        return None
    return (request.acknowledge_by - local_day(timezone.now(), request.zone)).days


RECEIPT = Deadline("receipt_told", (3, 1, -1), _until_receipt_is_confirmed, officers.tell_of_receipt)
ANSWER = Deadline("told", (7, 3, 1, -1), days_left, officers.tell_of_deadline)

log = structlog.get_logger(__name__)


def remind(*, by: Actor) -> int:
    """Tells of every open request that came to a new level of a deadline, and returns how many mails were sent."""
    requests = open_requests().select_related("tenant")
    return sum(_remind(request, each, by) for request in requests.iterator() for each in (RECEIPT, ANSWER))


def _remind(request: SubjectRequest, deadline: Deadline, by: Actor) -> bool:
    """Marks first, so that two who run at once tell once; what nobody could be told is told the next time."""
    left = deadline.left(request)
    if left is None or not (new := _mark(request, deadline, left)):
        return False
    log.warning(
        "subject request due", request=request.pk, tenant=request.tenant_id, right=request.right, days_left=left
    )
    if not _is_told(request, deadline, left):
        _unmark(request, deadline, new)
        return False
    what = "receipt" if deadline is RECEIPT else "answer"
    remember(request=request, kind=Kind.REMINDED, by=by, details={"days_left": left, "of": what})
    return True


def _is_told(request: SubjectRequest, deadline: Deadline, left: int) -> bool:
    try:
        return deadline.tell(request, left)
    except OSError as error:
        log.error("reminder not sent", request=request.pk, error=str(error))
        return False


@transaction.atomic
def _mark(request: SubjectRequest, deadline: Deadline, left: int) -> list[int]:
    """Which levels are new. Those that an extension has put off again count anew."""
    row = locked(request)
    reached = [level for level in deadline.levels if left <= level]
    told = getattr(row, deadline.told)
    new = [level for level in reached if level not in told and row.is_open]
    if set(told) != set(reached) and row.is_open:
        setattr(row, deadline.told, reached)
        row.save(update_fields=(deadline.told,))
    return new


@transaction.atomic
def _unmark(request: SubjectRequest, deadline: Deadline, levels: list[int]) -> None:
    row = locked(request)
    setattr(row, deadline.told, [level for level in getattr(row, deadline.told) if level not in levels])
    row.save(update_fields=(deadline.told,))
