"""What can be done with consents: record a decision, withdraw, end, let expire. Each adds a record; none changes one.

Every function locks the subject's row first. Whoever stores content locks it FOR SHARE, so from the commit here on
the next write knows.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from compliance import audit, consent_states, decisions, receipts, selectors, signing, withdrawals
from compliance.contracts import SYSTEM, Actor, Target
from compliance.decisions import OFFERED as OFFERED
from compliance.decisions import Decision as Decision
from compliance.errors import IllegalTransition, KeyStoreUnavailable
from compliance.models import ConsentRecord, Subject

State = ConsentRecord.State
SLICE = 500


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record that holds now, and whether it was this decision that made it."""

    record: ConsentRecord
    is_new: bool


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a withdrawal found: the record that holds now, if there is any, and whether it was this one that made it."""

    record: ConsentRecord | None
    is_new: bool

    @property
    def outcome(self) -> str:
        """`withdrawn`, `already_withdrawn`, or `never_given`: nothing is there that could be withdrawn."""
        if self.is_new:
            return "withdrawn"
        return "already_withdrawn" if self.record and self.record.state == State.WITHDRAWN else "never_given"


def record(*, subject: Subject, decision: Decision, by: Actor) -> ConsentRecord:
    """Records what a person decided, as `decide` does, and returns the record that holds now."""
    return decide(subject=subject, decision=decision, by=by).record


@transaction.atomic
def decide(*, subject: Subject, decision: Decision, by: Actor) -> Recorded:
    """Records what a person decided. The same once more adds nothing.

    Raises:
        SubjectErased: they were erased, and not enrolled again.
        ConsentRefused: the purpose is unknown, the notice is not published or superseded, the state cannot follow, or
            they have decided otherwise since.
        ValidationError: it would have expired already, or lies in the future.
    """
    subject = _locked(subject)
    before = selectors.live(subject=subject, purpose=decision.purpose)
    row = decisions.weigh(decision, tenant_id=subject.tenant_id, subject=subject, before=before)
    if row is before:
        return Recorded(row, is_new=False)
    return Recorded(_append(row, subject=subject, purpose=decision.purpose, before=before, by=by), is_new=True)


@transaction.atomic
def withdraw(*, subject: Subject, purpose: str, by: Actor, reason: str = "") -> Withdrawal:
    """Withdraws consent; the very next write stores nothing. Withdrawing again, or what was never given, does nothing.

    Raises:
        UnknownPurpose: nobody declared it.
    """
    subject = _locked(subject)
    decisions.require_purpose(subject.tenant_id, purpose)
    before = selectors.live(subject=subject, purpose=purpose)
    if before is None or before.state not in consent_states.WITHDRAWABLE:
        return Withdrawal(before, is_new=False)
    return Withdrawal(_follow(before, State.WITHDRAWN, by=by, reason=reason), is_new=True)


@transaction.atomic
def end(*, record: ConsentRecord, state: str, by: Actor, reason: str) -> ConsentRecord:
    """Ends a live consent from the tenant's side: `terminated`, as the purpose is given up, or `invalidated`.

    Raises:
        ValidationError: no reason.
        IllegalTransition: it is not live any more, or has ended already.
    """
    if state not in (State.TERMINATED, State.INVALIDATED):
        raise ValidationError(f"A consent is ended as {State.TERMINATED} or as {State.INVALIDATED}, not as {state}.")
    if not reason.strip():
        raise ValidationError("Say why the consent ends; the reason stays in the audit log.")
    _locked(record.subject)
    before = ConsentRecord.objects.get(pk=record.pk)
    if not before.live:
        raise IllegalTransition("Another record has followed this one; end that one.")
    return _follow(before, state, by=by, reason=reason)


@transaction.atomic
def end_all(*, subject: Subject, by: Actor, reason: str) -> int:
    """Terminates whatever a person still allows, as when they are erased; returns how many consents that were."""
    _locked(subject)
    found = ConsentRecord.objects.filter(subject=subject, live=True, state__in=consent_states.ALLOWING)
    return len([_follow(before, State.TERMINATED, by=by, reason=reason) for before in found])


def expire() -> int:
    """Puts on record that consents have expired; returns how many. They allow nothing before that already: the
    condition of consent looks at the clock itself."""
    total = marked = _expire_slice()
    while marked == SLICE:
        marked = _expire_slice()
        total += marked
    return total


def _expire_slice() -> int:
    due = selectors.expired(at=timezone.now()).order_by("expires_at").values_list("pk", "subject_id")[:SLICE]
    return sum(_expire(pk, subject_id) for pk, subject_id in due)


def sign_receipts() -> int:
    """Signs what could not be signed while the key store was out of reach; returns how many.

    Raises:
        KeyStoreUnavailable: it still is.
    """
    unsigned = ConsentRecord.objects.filter(receipt__isnull=True).order_by("pk").select_related("notice", "subject")
    return len([sign_receipt(record=record) for record in unsigned.iterator(chunk_size=SLICE)])


def sign_receipt(*, record: ConsentRecord) -> dict[str, Any]:
    """Signs the receipt of one record, and keeps it.

    Raises:
        KeyStoreUnavailable: the signing key is out of reach.
    """
    signed = _receipt(record)
    if ConsentRecord.objects.filter(pk=record.pk, receipt__isnull=True).update(receipt=signed):
        return signed
    record.refresh_from_db(fields=("receipt",))  # somebody else was faster
    return record.receipt or signed


@transaction.atomic
def _expire(pk: int, subject_id: int) -> bool:
    Subject.objects.select_for_update(no_key=True).get(pk=subject_id)
    before = selectors.expired(at=timezone.now()).filter(pk=pk).first()
    if before is None:  # withdrawn or renewed since
        return False
    _follow(before, State.EXPIRED, by=SYSTEM)
    return True


# --- parts -------------------------------------------------------------------------------------------------------


def _locked(subject: Subject) -> Subject:
    return Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)


def _follow(before: ConsentRecord, state: str, *, by: Actor, reason: str = "") -> ConsentRecord:
    """Adds a record that is like the one before but for its state."""
    consent_states.require(before.state, state)
    row = ConsentRecord(
        notice_id=before.notice_id,
        notice_version=before.notice_version,
        state=state,
        event_at=decisions.now_after(before),
        expires_at=before.expires_at,
        collection_method=before.collection_method,
        jurisdiction=before.jurisdiction,
    )
    return _append(row, subject=before.subject, purpose=before.purpose, before=before, by=by, reason=reason)


def _append(
    row: ConsentRecord, *, subject: Subject, purpose: str, before: ConsentRecord | None, by: Actor, reason: str = ""
) -> ConsentRecord:
    """Makes `row` the live record of the subject's purpose, with its receipt and its event."""
    row.tenant_id, row.subject, row.purpose = subject.tenant_id, subject, purpose
    row.recorded_by = f"{by.kind} {by.id}"
    if before is not None:
        row.record_id = before.record_id
        ConsentRecord.objects.filter(pk=before.pk).update(live=False)
    with contextlib.suppress(KeyStoreUnavailable):  # a decision is never refused for that; it is signed later
        row.receipt = _receipt(row)
    row.save(force_insert=True)
    audit.record(
        by=by,
        action=f"consent.{row.state}",
        target=Target("consentrecord", str(row.pk)),
        tenant_id=row.tenant_id,
        before={"state": before.state, "notice_version": before.notice_version} if before else {},
        after=_told(row),
        reason=reason,
    )
    withdrawals.follow(before, row)
    return row


def _told(row: ConsentRecord) -> dict[str, Any]:
    """What the audit log is told of a record."""
    return {
        "surrogate": row.subject.surrogate,
        "purpose": row.purpose,
        "state": str(row.state),
        "notice_version": row.notice_version,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        "opted_out_by_gpc": row.opted_out_by_gpc,
    }


def _receipt(row: ConsentRecord) -> dict[str, Any]:
    document = receipts.document(row, notice=row.notice, surrogate=row.subject.surrogate)
    return signing.sign(document, kind=receipts.KIND)
