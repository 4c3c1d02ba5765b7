"""Erases people: fence → destroy → ledger → evict → verify → certificate.

The fence comes first and in a transaction of its own, so nothing more is stored while the rest goes on; each step is
idempotent and remembered, and one that a crash or an outage cut off is taken again (`continue_all`, by the clock). See
docs/adr/0021.
"""

import traceback
from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from compliance import holds, kept, registry
from compliance.actions import erasure_fence, erasure_steps
from compliance.contracts import Actor
from compliance.enqueuing import enqueue
from compliance.models import Erasure, ErasureStep, LegalHold
from compliance.models.erasures import CERTIFICATE, DESTROY, EVICT, LEDGER, VERIFY
from compliance.registry import Person

RETRY_AFTER = timedelta(minutes=1)
CLOSED = (Erasure.State.COMPLETE, Erasure.State.CANCELLED)

log = structlog.get_logger(__name__)


def begin(*, person: Person, request_id: int | None, by: Actor, reason: str = "") -> Erasure:
    """Fences a person and destroys their key, at once; the rest is `advance`'s. Idempotent.

    Under a legal hold, or where a law requires content to be kept, nothing is destroyed: the person is restricted, and
    the erasure waits. What cannot be reached now (the key store, say) is tried again by the clock; from the fence on
    nothing is stored in any case.

    Raises:
        Subject.DoesNotExist: nobody has that surrogate.
        ActionRefused: the surrogate is what an erasure left behind, or the request was taken back.
        RuntimeError: called inside a transaction, which could undo the fence and not the destruction.
    """
    erasure = erasure_fence.put_up(person=person, request_id=request_id, by=by, reason=reason)
    if erasure.fenced_at and erasure.state != Erasure.State.COMPLETE:
        _add_steps(erasure)
        _take_those(erasure, by, Q(name__in=(DESTROY, LEDGER)))
        erasure.refresh_from_db()
    return erasure


def advance(*, erasure: Erasure, by: Actor) -> Erasure:
    """Takes the steps that are left, and says in `state` whether that was all. Idempotent; two at once take turns.

    Raises:
        RuntimeError: called inside a transaction.
    """
    erasure.refresh_from_db()
    if erasure.state == Erasure.State.ON_HOLD and not erasure.fenced_at:
        erasure = erasure_fence.put_up_if_released(erasure=erasure, by=by)
    if erasure.state in CLOSED or not erasure.fenced_at:
        return erasure
    _add_steps(erasure)
    _take_those(erasure, by)
    return _conclude(erasure)


def retry(*, erasure: Erasure, by: Actor, reason: str = "") -> Erasure:
    """Goes on at once, because somebody wants it; says so in the audit log.

    Raises:
        RuntimeError: called inside a transaction.
    """
    with transaction.atomic():
        erasure_fence.note(erasure=erasure, verb="retried", by=by, reason=reason)
    return advance(erasure=erasure, by=by)


def continue_all(*, by: Actor) -> dict[str, int]:
    """Goes on with every erasure that is open, and counts them by the state they are in now; `failed` are those that
    ended in an error that nobody thought of, which keeps no other from going on."""
    due = Erasure.objects.exclude(state__in=CLOSED).filter(requested_at__lte=timezone.now() - RETRY_AFTER)
    counts: dict[str, int] = {}
    for erasure in due.exclude(surrogate="").order_by("requested_at"):
        state = _state_after(erasure, by=by)
        counts[state] = counts.get(state, 0) + 1
    return counts


def _state_after(erasure: Erasure, *, by: Actor) -> str:
    try:
        return advance(erasure=erasure, by=by).state
    except Exception as error:  # whatever is wrong with one must not keep all others from being erased
        log.error("erasure cannot go on", erasure=str(erasure.pk), error=type(error).__name__, at=_place_of(error))
        return "failed"


def _place_of(error: Exception) -> str:
    """Where it happened. Not its text, which may quote what it was about."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _on_release(hold: LegalHold) -> None:
    """A broker that is down delays what waited to the next turn of the clock."""
    transaction.on_commit(lambda: enqueue("compliance.tasks.continue_erasures"), robust=True)


holds.on_release(_on_release)


# --- the steps ---------------------------------------------------------------------------------------------------


def _add_steps(erasure: Erasure) -> None:
    """One step for each duty and each store that has an eraser, those included that were registered meanwhile."""
    stores = [EVICT + store.name for store in registry.stores() if store.erase]
    names = [DESTROY, LEDGER, *stores, VERIFY, CERTIFICATE]
    last = len(names) + 100  # so that what is registered later still comes before verification
    positions = {**{name: at for at, name in enumerate(names)}, VERIFY: last, CERTIFICATE: last + 1}
    ErasureStep.objects.bulk_create(
        [ErasureStep(erasure=erasure, name=name, position=positions[name]) for name in names], ignore_conflicts=True
    )


def _take_those(erasure: Erasure, by: Actor, which: Q | None = None) -> None:
    """Takes the steps that are left, in order."""
    for step in erasure.steps.filter(which or Q()).exclude(state=ErasureStep.State.DONE).order_by("position"):
        if not _waits(step):
            _take(step, by)


def _waits(step: ErasureStep) -> bool:
    """Nothing goes before the key is destroyed. Then stores do not wait for each other; all else is done in order."""
    first = Q(name=DESTROY) if step.store else Q(position__lt=step.position)
    return ErasureStep.objects.filter(first, erasure_id=step.erasure_id).exclude(state=ErasureStep.State.DONE).exists()


def _take(step: ErasureStep, by: Actor) -> None:
    """Takes one step, or remembers why it failed. Who takes the same one at once waits, and finds it done."""
    try:
        if step.name == DESTROY:
            erasure_steps.plant_canary(erasure=step.erasure, by=by)
        erasure_steps.sweep(step=step)
        erasure_steps.take(step=step, by=by)
    except (
        Exception
    ) as error:  # what nobody thought of is shown like the rest, and keeps no other step from being taken
        erasure_steps.fail(step=step, error=error, by=by)


@transaction.atomic(durable=True)
def _conclude(erasure: Erasure) -> Erasure:
    erasure = Erasure.objects.select_for_update().get(pk=erasure.pk)
    problem = _problem(erasure.steps.exclude(state=ErasureStep.State.DONE).order_by("position"))
    if problem and erasure.state not in CLOSED:
        waits = not erasure.has_destroyed and kept.of_person(erasure.person)
        erasure.state = Erasure.State.ON_HOLD if waits else Erasure.State.INCOMPLETE
        erasure.problem = problem
        erasure.save(update_fields=("state", "problem"))
        log.error("erasure not complete", erasure=str(erasure.pk), state=str(erasure.state), problem=problem)
    return erasure


def _problem(steps: Iterable[ErasureStep]) -> str:
    return "; ".join(f"{step.name}: {step.error}" for step in steps if step.error)
