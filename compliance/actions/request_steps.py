"""Executes subject requests step by step, each step on its own, so that a worker can go on wherever one stopped.

A worker takes a step by putting off its next try: whoever dies with it leaves it to the next one when that time comes,
and the try counts. After `TRIES` tries the request has failed, and somebody is told.
"""

from datetime import timedelta
from typing import Any

import structlog
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from compliance import officers
from compliance.actions.request_duties import Waits, duties_of, duty_of
from compliance.actions.request_moves import Kind, move, remember
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from compliance.models import RequestStep, SubjectRequest
from compliance.request_states import State
from compliance.rights import EXPORTING, Right
from compliance.selectors_requests import (
    WORKING,
    erasure_of,
    held_erasures_released,
    locked,
    to_work_on,
)

TRIES = 8
LEASE = timedelta(minutes=5)
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
EXPECTED = (ComplianceError, ActionRefused, DatabaseError, OSError)
"""What may be over when a step is tried again."""

log = structlog.get_logger(__name__)


def run_due(*, by: Actor, most: int = 20) -> dict[str, int]:
    """Goes on with the requests that wait for it, the most urgent first, and counts them by the state they got to."""
    for held in held_erasures_released()[:most]:
        move(request=held, to=State.QUEUED, by=by, reason="the legal hold was released")
    counts: dict[str, int] = {}
    for request in to_work_on(at=timezone.now())[:most]:
        state = execute(request=request, by=by).state
        counts[state] = counts.get(state, 0) + 1
    return counts


def execute(*, request: SubjectRequest, by: Actor) -> SubjectRequest:
    """Takes the steps of a request that are due, as far as they go. Two workers at once share them.

    Raises:
        IllegalMove: it is not queued.
    """
    row = _started(request, by)
    while (step := _claim(row)) is not None:
        if not _take(row, step, by):
            break
    return _concluded(row, by)


def retry(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """Queues a failed request again, with all its tries."""
    with transaction.atomic():
        row = move(request=request, to=State.QUEUED, by=by, reason=reason)
        unfinished = row.steps.exclude(state=RequestStep.State.DONE)
        unfinished.update(state=RequestStep.State.WAITING, attempts=0, error="", try_at=None)
    return row


# --- parts -------------------------------------------------------------------------------------------------------


@transaction.atomic
def _started(request: SubjectRequest, by: Actor) -> SubjectRequest:
    """The request in execution, with its steps; as it is where another worker was first."""
    row = locked(request)
    if row.state in (State.EXECUTING, State.VERIFYING):
        return row
    row = move(request=row, to=State.EXECUTING, by=by)
    duties = duties_of(request=row, by=by)
    RequestStep.objects.bulk_create(
        [
            RequestStep(request=row, position=position, store=duty.name, title=duty.title)
            for position, duty in enumerate(duties)
        ],
        ignore_conflicts=True,
    )
    return row


@transaction.atomic
def _claim(request: SubjectRequest) -> RequestStep | None:
    """The next step, counted as tried and put off for others; None where nothing can be taken now.

    Steps go in order: what comes before it must be done, and not in somebody else's hands. Nothing is taken of a
    request that was put on hold meanwhile.
    """
    now = timezone.now()
    if locked(request).state not in WORKING:
        return None
    unfinished = request.steps.exclude(state=RequestStep.State.DONE).order_by("position")
    step = unfinished.select_for_update().first()
    if step is None or step.state != RequestStep.State.WAITING or (step.try_at and step.try_at > now):
        return None
    if step.attempts >= TRIES:  # its worker died with it time and again, and so could not give up by itself
        RequestStep.objects.filter(pk=step.pk).update(state=RequestStep.State.FAILED, error="it never came to an end")
        return None
    RequestStep.objects.filter(pk=step.pk).update(attempts=F("attempts") + 1, try_at=now + LEASE)
    return RequestStep.objects.get(pk=step.pk)


def _take(request: SubjectRequest, step: RequestStep, by: Actor) -> bool:
    """Takes one step; returns whether it is done."""
    try:
        rows = duty_of(step=step, by=by).do(request, by)
    except Waits as hold:
        RequestStep.objects.filter(pk=step.pk).update(try_at=None, attempts=F("attempts") - 1, error=str(hold))
        _held(request, str(hold), by)
        return False
    except EXPECTED as error:
        _put_off(step, error)
        return False
    now = timezone.now()
    done: dict[str, Any] = {"state": RequestStep.State.DONE, "rows": rows, "error": "", "try_at": None, "done_at": now}
    RequestStep.objects.filter(pk=step.pk).exclude(state=RequestStep.State.DONE).update(**done)
    return True


def _put_off(step: RequestStep, error: Exception) -> None:
    """Tries again later, twice as late each time; or gives up."""
    said = type(error).__name__ if isinstance(error, DatabaseError) else str(error) or type(error).__name__
    log.warning("request step failed", request=step.request_id, step=step.store, error=type(error).__name__)
    gives_up = step.attempts >= TRIES
    wait = min(FIRST_WAIT * 2 ** (step.attempts - 1), LONGEST_WAIT)
    RequestStep.objects.filter(pk=step.pk).update(
        state=RequestStep.State.FAILED if gives_up else RequestStep.State.WAITING,
        error=said[:1000],
        try_at=None if gives_up else timezone.now() + wait,
    )


@transaction.atomic
def _held(request: SubjectRequest, why: str, by: Actor) -> None:
    row = locked(request)
    if row.state == State.EXECUTING:
        move(request=row, to=State.ON_HOLD, by=by, reason=why[:500])


def _concluded(request: SubjectRequest, by: Actor) -> SubjectRequest:
    """Verified and fulfilled when every step is done, failed when one has, else as it is."""
    with transaction.atomic():
        row = locked(request)
        if row.state not in WORKING:
            return row
        states = set(row.steps.values_list("state", flat=True))
        if RequestStep.State.FAILED in states:
            return _failed(row, by)
        if RequestStep.State.WAITING in states:
            return row
        if row.state == State.EXECUTING:
            row = move(request=row, to=State.VERIFYING, by=by)
    return _verified(row, by)


def _verified(request: SubjectRequest, by: Actor) -> SubjectRequest:
    """Looks whether what the steps did holds; where it does not, they are taken again."""
    steps = list(request.steps.order_by("position"))
    left = {step.store: why for step in steps if (why := duty_of(step=step, by=by).left(request))}
    with transaction.atomic():
        row = locked(request)
        if row.state != State.VERIFYING:
            return row
        if not left:
            return move(request=row, to=State.FULFILLED, by=by, changes={"result": _result(row, steps)})
        for step in row.steps.filter(store__in=left):
            gives_up = step.attempts >= TRIES
            step.state = RequestStep.State.FAILED if gives_up else RequestStep.State.WAITING
            step.error, step.done_at = left[step.store], None
            step.try_at = None if gives_up else timezone.now() + FIRST_WAIT
            step.save()
        return move(request=row, to=State.EXECUTING, by=by, reason="; ".join(left.values())[:500])


def _failed(row: SubjectRequest, by: Actor) -> SubjectRequest:
    """Nothing hangs in silence: it is logged as an error, shown in the queue, and told to those who are responsible."""
    wrong = "; ".join(f"{step.title}: {step.error}" for step in row.steps.filter(state=RequestStep.State.FAILED))
    log.error("subject request failed", request=row.pk, right=row.right, tenant=row.tenant_id, why=wrong)
    row = move(request=row, to=State.FAILED, by=by, reason=wrong[:500])
    remember(request=row, kind=Kind.REMINDED, by=by, reason="failed")
    transaction.on_commit(lambda: officers.tell_of_failure(row, wrong))
    return row


def _result(row: SubjectRequest, steps: list[RequestStep]) -> dict[str, Any]:
    """What came of it: rows by store, and where the evidence is."""
    result: dict[str, Any] = {"rows": {step.store: step.rows for step in steps}}
    if Right(row.right) in EXPORTING:
        result["export"] = str(row.export.pk)
    if row.right == Right.ERASURE and (erasure := erasure_of(row)):
        result["erasure"] = str(erasure.pk)
    return result
