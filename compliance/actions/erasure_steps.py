"""The steps of an erasure behind its fence. Each does what is left to do, however often it is taken."""

import secrets
from collections.abc import Callable

import structlog
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from compliance import audit, certificates, kept, registry, signing
from compliance.actions import audit_log, erasure_entries, keys
from compliance.contracts import Actor
from compliance.envelope import Place, open_record, seal_record
from compliance.errors import ComplianceError, DecryptionFailed, ErasureIncomplete
from compliance.keyring import store
from compliance.models import Erasure, ErasureStep
from compliance.models.erasures import CERTIFICATE, DESTROY, EVICT, LEDGER, VERIFY
from compliance.registry import Store
from compliance.retention import take_turn

Work = Callable[[Erasure, ErasureStep, Actor], None]
CANARY = "erasure_canary"
EXPECTED = (ComplianceError, DatabaseError, OSError)
"""What may be over when a step is tried again."""

log = structlog.get_logger(__name__)


def take(*, step: ErasureStep, by: Actor) -> None:
    """Takes one step in one transaction, unless it is done. Who takes it at the same time waits, and finds it done.

    Raises:
        ErasureIncomplete: something must be kept: a hold was placed behind the fence, and the key is still there.
        ComplianceError, DatabaseError, OSError: something that the step needs is out of order; it can be taken again.
    """
    with transaction.atomic():
        before = Erasure.objects.get(pk=step.erasure_id)
        destroys = (step.name == DESTROY or bool(step.store)) and not before.has_destroyed
        if destroys:
            take_turn()
        erasure = Erasure.objects.select_for_update().get(pk=step.erasure_id)
        step = ErasureStep.objects.get(pk=step.pk)
        if step.state != ErasureStep.State.DONE:
            if destroys and (reasons := kept.of_person(erasure.person)):
                raise ErasureIncomplete("; ".join(reasons))
            _WORK.get(step.name, _evict)(erasure, step, by)
            step.state, step.error, step.done_at = ErasureStep.State.DONE, "", timezone.now()
            step.attempts += 1
            step.save()


def fail(*, step: ErasureStep, error: Exception, by: Actor) -> None:
    """Remembers why a step failed. Of a database's error, or an unexpected one, only the kind: its text may quote the
    values of a row."""
    is_told = isinstance(error, EXPECTED) and not isinstance(error, DatabaseError)
    said = (str(error) if is_told else "") or type(error).__name__
    log.warning("erasure step failed", erasure=str(step.erasure_id), step=step.name, error=type(error).__name__)
    ErasureStep.objects.filter(pk=step.pk).exclude(state=ErasureStep.State.DONE).update(
        state=ErasureStep.State.FAILED, attempts=F("attempts") + 1, error=said
    )


# --- destroy -----------------------------------------------------------------------------------------------------


@transaction.atomic(durable=True)
def plant_canary(*, erasure: Erasure, by: Actor) -> None:
    """Seals something that nobody needs under the key while it is still there; afterwards it must not open.

    Under a key that opens already for nobody, as its row was damaged, nothing is sealed.

    Raises:
        KeyStoreUnavailable: keys cannot be read now.
    """
    erasure = Erasure.objects.select_for_update().get(pk=erasure.pk)
    try:
        key = store.subject_keys(erasure.tenant_id, [erasure.surrogate]).get(erasure.surrogate)
    except DecryptionFailed:
        log.warning("no canary: the key cannot be opened", erasure=str(erasure.pk))
        return
    if key and not erasure.canary:
        erasure.canary = seal_record(secrets.token_bytes(32), key=key.key, key_id=key.id, place=_place(erasure))
        erasure.save(update_fields=("canary",))


def _place(erasure: Erasure) -> Place:
    return Place(erasure.tenant_id, erasure.surrogate, CANARY, str(erasure.pk), "erasure")


def _destroy(erasure: Erasure, step: ErasureStep, by: Actor) -> None:
    dead = keys.destroy_subject_keys(tenant_id=erasure.tenant_id, surrogates=[erasure.surrogate], by=by)
    step.erased = len(dead)
    erasure.key_ids = [str(key.id) for key in dead]
    erasure.fingerprints = [key.fingerprint.hex() for key in dead]
    erasure.state, erasure.destroyed_at = Erasure.State.RUNNING, timezone.now()
    erasure.save(update_fields=("state", "key_ids", "fingerprints", "destroyed_at"))


# --- ledger ------------------------------------------------------------------------------------------------------


def _enter(erasure: Erasure, step: ErasureStep, by: Actor) -> None:
    """From here on the lookup is in the ledger only: in this database nothing joins it to the old surrogate."""
    entry = erasure_entries.enter(erasure=erasure, by=by)
    erasure.ledger_number, erasure.lookup, erasure.successor = entry.number, "", ""
    erasure.save(update_fields=("ledger_number", "lookup", "successor"))


# --- evict -------------------------------------------------------------------------------------------------------


def sweep(*, step: ErasureStep) -> None:
    """Takes what is too much for one transaction in slices of their own; before all is verified of every store again,
    as what was done since may have left something there."""
    swept = [each for each in registry.stores() if each.sweep and (each.name == step.store or step.name == VERIFY)]
    for each in swept:
        while each.sweep and (rows := each.sweep(step.erasure.person)):
            own = ErasureStep.objects.filter(erasure_id=step.erasure_id, name=EVICT + each.name)
            own.update(erased=F("erased") + rows)


def _evict(erasure: Erasure, step: ErasureStep, by: Actor) -> None:
    for each in registry.stores():
        if each.name == step.store and each.erase:
            step.erased += each.erase(erasure.person)
            step.remains = _remains(each, erasure)
            if step.remains:
                raise ErasureIncomplete(f"{step.remains} left")


def _remains(each: Store, erasure: Erasure) -> int:
    return each.remains(erasure.person) if each.remains else 0


# --- verify and certify ------------------------------------------------------------------------------------------


def _verify(erasure: Erasure, step: ErasureStep, by: Actor) -> None:
    """Looks again at every store, and tries to read what was sealed under the key before it was destroyed."""
    left = {each.title: count for each in registry.stores() if (count := _remains(each, erasure))}
    step.remains = sum(left.values())
    if left:
        raise ErasureIncomplete("; ".join(f"{count} left in {title}" for title, count in left.items()))
    key = store.subject_keys(erasure.tenant_id, [erasure.surrogate]).get(erasure.surrogate)
    if key is not None:
        raise ErasureIncomplete("the key can still be read" + (", and opens" if _opens(erasure, key.key) else ""))


def _opens(erasure: Erasure, key: bytes) -> bool:
    try:
        open_record(bytes(erasure.canary or b""), key=key, place=_place(erasure))
    except DecryptionFailed:
        return False
    return True


def _certify(erasure: Erasure, step: ErasureStep, by: Actor) -> None:
    erasure.state, erasure.problem, erasure.finished_at = Erasure.State.COMPLETE, "", timezone.now()
    event = audit.record(
        by=by,
        action="erasure.completed",
        target=audit.target_of(erasure),
        tenant_id=erasure.tenant_id,
        after={"surrogate": erasure.surrogate, "ledger_number": erasure.ledger_number},
    )
    audit_log.checkpoint(by=by, tenant_id=erasure.tenant_id)
    erasure.certificate = signing.sign(certificates.document_of(erasure, event=event), kind=certificates.KIND)
    erasure.save()


_WORK: dict[str, Work] = {DESTROY: _destroy, LEDGER: _enter, VERIFY: _verify, CERTIFICATE: _certify}
