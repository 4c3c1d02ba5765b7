"""Off-boarding: what a tenant takes along when it leaves, and the destruction of everything that could open the rest.

Two people agree to it (`approvals.py`), then: export → fence → destroy → ledger → evict → verify → certificate.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.db import transaction
from django.utils import timezone

from compliance import audit, certificates, kept, registry, signing
from compliance.actions import (
    approvals,
    audit_log,
    erasers,
    erasure_entries,
    erasure_steps,
    jobs,
    keys,
    tenant_exports,
)
from compliance.actions.jobs import Progress, TakenOver
from compliance.approvals import require_given
from compliance.contracts import Actor, Target
from compliance.enqueuing import enqueue
from compliance.errors import ActionRefused, AlreadyRunning, ErasureIncomplete
from compliance.keyring import store
from compliance.keyring.models import SubjectKey
from compliance.models import Approval, Erasure, ErasureStep
from compliance.models.erasures import CERTIFICATE, DESTROY, EVICT, EXPORT, FENCE, LEDGER, VERIFY
from compliance.retention import take_turn

ACTION = "tenant.offboarded"
JOB = "offboard tenant"
BATCH = 500

log = structlog.get_logger(__name__)


def ask(*, tenant_id: int, reason: str, by: Actor) -> Approval:
    """Asks another person to agree that a closed tenant is off-boarded.

    Raises:
        ActionRefused: the tenant is not closed, something must be kept, it has left already, or was asked for.
    """
    _require_possible(tenant_id)
    return approvals.ask(
        action=ACTION, target=Target("tenant", str(tenant_id)), tenant_id=tenant_id, reason=reason, by=by
    )


@transaction.atomic
def begin(*, approval: Approval, by: Actor) -> Erasure:
    """What the approval allows: the erasure of the tenant, which `run` carries out.

    Raises:
        ApprovalRefused: nobody else has agreed to it.
        ActionRefused: something must be kept by now, or it is under way.
    """
    require_given(approval=approval, action=ACTION)
    tenant_id = int(approval.target_id)
    take_turn()  # or a hold that is approved right now would be overlooked
    _require_possible(tenant_id)
    erasure = Erasure.objects.create(
        tenant_id=tenant_id, reason=approval.reason, requested_by=f"{by.kind} {by.id}", state=Erasure.State.RUNNING
    )
    _add_steps(erasure)
    audit.record(
        by=by, action="erasure.requested", target=audit.target_of(erasure), tenant_id=tenant_id, reason=approval.reason
    )
    return erasure


def run(*, erasure: Erasure, by: Actor) -> Erasure:
    """Takes the steps that are left, one job at a time for a tenant. A step that failed ends it; it can be run again.

    Raises:
        AlreadyRunning: somebody else is at it.
        TakenOver: this process was silent for so long that somebody else went on with it.
    """
    with jobs.running(kind=JOB, key=str(erasure.tenant_id), tenant_id=erasure.tenant_id, by=by) as progress:
        _add_steps(erasure)
        steps = list(erasure.steps.order_by("position"))
        for at, step in enumerate(steps):
            progress.at(at, len(steps), step.name)
            if step.state != ErasureStep.State.DONE and not _take(step, progress, by=by):
                break
        progress.at(len(steps), len(steps))
    erasure.refresh_from_db()
    return erasure


def continue_all(*, by: Actor) -> int:
    """Goes on with every off-boarding that is open; returns how many there were. An error in one keeps no other."""
    open_ = list(Erasure.objects.filter(surrogate="").exclude(state=Erasure.State.COMPLETE))
    for erasure in open_:
        try:
            run(erasure=erasure, by=by)
        except (AlreadyRunning, TakenOver):
            log.info("off-boarding goes on elsewhere", erasure=str(erasure.pk))
        except Exception as error:  # whatever is wrong with one tenant's must not keep the others from leaving
            log.error("off-boarding cannot go on", erasure=str(erasure.pk), error=type(error).__name__)
    return len(open_)


def delete_due(*, by: Actor) -> int:
    """Deletes the exports of tenants whose time is over; returns how many."""
    return tenant_exports.delete_due(by=by)


def _approved(approval: Approval, by: Actor) -> None:
    begin(approval=approval, by=by)
    # A broker that is down delays it to the next turn of the clock.
    transaction.on_commit(lambda: enqueue("compliance.tasks.continue_erasures"), robust=True)


approvals.on(ACTION, _approved)


# --- what stands in the way ----------------------------------------------------------------------------------------


def _require_possible(tenant_id: int) -> None:
    if Erasure(tenant_id=tenant_id).tenant.status != "closed":
        raise ActionRefused("Close the tenant first: nothing may be stored of it while it leaves.")
    if reasons := kept.of_tenant(tenant_id):
        raise ActionRefused(" ".join(reasons))
    if Erasure.objects.filter(tenant_id=tenant_id, surrogate="").exists():
        raise ActionRefused("The tenant is being off-boarded, or has been; see its erasure.")


def _evicted() -> list[str]:
    return [each.name for each in registry.stores() if each.erase_tenant]


def _add_steps(erasure: Erasure) -> None:
    """Its steps, unless they are there: a replay brings back a row without any."""
    names = [EXPORT, FENCE, DESTROY, LEDGER, *(EVICT + each for each in _evicted()), VERIFY, CERTIFICATE]
    if not erasure.steps.exists():
        ErasureStep.objects.bulk_create(
            [ErasureStep(erasure=erasure, name=name, position=at) for at, name in enumerate(names)]
        )


# --- the steps -------------------------------------------------------------------------------------------------------


def _take(step: ErasureStep, progress: Progress, *, by: Actor) -> bool:
    """Takes one step and remembers it, or why it failed."""
    erasure = Erasure.objects.get(pk=step.erasure_id)
    try:
        _WORK.get(step.name, _evict)(erasure, step, progress, by)
    except TakenOver:
        raise
    except Exception as error:  # what nobody thought of is shown like the rest
        erasure_steps.fail(step=step, error=error, by=by)
        step.refresh_from_db()
        Erasure.objects.filter(pk=erasure.pk).update(
            state=Erasure.State.INCOMPLETE, problem=f"{step.name}: {step.error}"
        )
        return False
    step.state, step.error, step.done_at = ErasureStep.State.DONE, "", timezone.now()
    step.attempts += 1
    step.save()
    return True


@contextmanager
def _unless_kept(erasure: Erasure) -> Iterator[None]:
    """A transaction in which something is destroyed, unless a hold or a law keeps it by now. Once the tenant's keys are
    destroyed there is nothing left to keep."""
    with transaction.atomic():
        if not erasure.has_destroyed:
            take_turn()
            if reasons := kept.of_tenant(erasure.tenant_id):
                raise ErasureIncomplete(" ".join(reasons))
        yield


def _in_slices(
    erase: Callable[[int], int], erasure: Erasure, step: ErasureStep, progress: Progress, *, what: str
) -> None:
    """Erases until nothing is left, each slice in a transaction of its own, so that it is seen how far it is."""
    erased = -1
    while erased:
        with _unless_kept(erasure):
            erased = erase(erasure.tenant_id)
        step.erased += erased
        progress.at(progress.run.done, step=f"{what}: {step.erased:,}")


def _export(erasure: Erasure, step: ErasureStep, progress: Progress, by: Actor) -> None:
    if erasure.ledger_number:
        # Replayed: its keys are dead, so that a new file would hold nothing. What was handed over stays as it is.
        erasure.export = erasure.export or tenant_exports.found(erasure=erasure, by=by)
    else:
        erasure.export = tenant_exports.make(erasure=erasure, progress=progress, by=by)
    erasure.save(update_fields=("export",))
    step.erased = int(erasure.export.get("records", 0))


def _fence(erasure: Erasure, step: ErasureStep, progress: Progress, by: Actor) -> None:
    def wipe(tenant_id: int) -> int:
        return erasers.wipe_mapping(tenant_id=tenant_id, by=by)

    _in_slices(wipe, erasure, step, progress, what=FENCE)
    erasure.fenced_at = timezone.now()
    erasure.save(update_fields=("fenced_at",))


def _destroy(erasure: Erasure, step: ErasureStep, progress: Progress, by: Actor) -> None:
    """The tenant's keys first, which is the end of everything; then what they wrapped."""
    with _unless_kept(erasure):
        dead = keys.destroy_tenant_keys(tenant_id=erasure.tenant_id, by=by, reason=erasure.reason)
        erasure.key_ids = [f"tenant-key/{key.version}" for key in dead]
        erasure.fingerprints = [key.fingerprint.hex() for key in dead]
        erasure.destroyed_at = erasure.destroyed_at or timezone.now()
        erasure.save(update_fields=("key_ids", "fingerprints", "destroyed_at"))
    alive = SubjectKey.objects.filter(tenant_id=erasure.tenant_id, wrapped__isnull=False)
    while batch := list(alive.order_by("pk").values_list("surrogate", flat=True)[:BATCH]):
        step.erased += len(keys.destroy_subject_keys(tenant_id=erasure.tenant_id, surrogates=batch, by=by))
        progress.at(progress.run.done, step=f"{DESTROY}: {step.erased:,} keys of people")


def _enter(erasure: Erasure, step: ErasureStep, progress: Progress, by: Actor) -> None:
    erasure.ledger_number = erasure_entries.enter(erasure=erasure, by=by).number
    erasure.save(update_fields=("ledger_number",))


def _evict(erasure: Erasure, step: ErasureStep, progress: Progress, by: Actor) -> None:
    for each in registry.stores():
        if each.name == step.store and each.erase_tenant:
            _in_slices(each.erase_tenant, erasure, step, progress, what=each.title)


def _verify(erasure: Erasure, step: ErasureStep, progress: Progress, by: Actor) -> None:
    """Erasing once more finds nothing, and no key of the tenant or its people can be read."""
    left = {
        each.title: found
        for each in registry.stores()
        if each.erase_tenant and (found := each.erase_tenant(erasure.tenant_id))
    }
    alive = SubjectKey.objects.filter(tenant_id=erasure.tenant_id, wrapped__isnull=False).count()
    store.forget(erasure.tenant_id)
    if left or alive or store.tenant_keys(erasure.tenant_id):
        raise ErasureIncomplete(f"left: {left or 'keys'}")


def _certify(erasure: Erasure, step: ErasureStep, progress: Progress, by: Actor) -> None:
    with transaction.atomic():
        erasure.state, erasure.problem, erasure.finished_at = Erasure.State.COMPLETE, "", timezone.now()
        event = audit.record(
            by=by,
            action=ACTION,
            target=Target("tenant", str(erasure.tenant_id)),
            tenant_id=erasure.tenant_id,
            after={"erasure": str(erasure.pk), "ledger_number": erasure.ledger_number},
            reason=erasure.reason,
        )
        audit_log.checkpoint(by=by, tenant_id=erasure.tenant_id)
        erasure.certificate = signing.sign(certificates.document_of(erasure, event=event), kind=certificates.KIND)
        erasure.save()


_WORK: dict[str, Callable[[Erasure, ErasureStep, Progress, Actor], None]] = {
    EXPORT: _export,
    FENCE: _fence,
    DESTROY: _destroy,
    LEDGER: _enter,
    VERIFY: _verify,
    CERTIFICATE: _certify,
}
