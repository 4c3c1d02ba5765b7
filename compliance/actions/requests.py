"""What can be done with subject requests, from receipt to decision. Their execution is `request_steps`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from compliance import regimes, sealing
from compliance.actions import erasure_fence, keys
from compliance.actions.request_moves import Kind, move, noted, remember
from compliance.contracts import Actor
from compliance.errors import KeyDestroyed, RequestRefused, SubjectErased
from compliance.models import Subject, SubjectRequest
from compliance.request_clock import set_deadlines
from compliance.request_states import State
from compliance.rights import WITHOUT_IDENTITY, Right
from compliance.selectors import purposes_of
from compliance.selectors_requests import locked, regime_of, repeated_by, usual_regime

LONGEST = 4000
"""Of a person's own words, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for.

    Args:
        details: their own words; of a rectification the correction itself.
        purpose: of a withdrawal or an objection: consent to what; empty for all of them.
        regime: whose deadlines hold; empty for the tenant's usual one.
        received_at: when it arrived, where that was before now, as by letter.
    """

    right: Right
    details: str = ""
    purpose: str = ""
    regime: str = ""
    received_at: datetime | None = None


@transaction.atomic
def receive(*, subject: Subject, asked: Asked, by: Actor) -> SubjectRequest:
    """Records a request; from its receipt the clock runs. Their words are kept under the person's own key.

    Raises:
        SubjectErased: nothing is kept about this person any more, so there is only an erasure to ask for.
        RequestRefused: no such regime or purpose, or a rectification without a correction.
        ValidationError: the words are too many, or it was received in the future.
        KeyStoreUnavailable: the person's key cannot be read now.
    """
    now = timezone.now()
    if subject.state == Subject.State.ERASED and asked.right != Right.ERASURE:
        raise SubjectErased("This person was erased: nothing is stored about them that the request could be about.")
    _check(subject, asked, now)
    row = SubjectRequest(
        tenant_id=subject.tenant_id,
        subject=subject,
        right=asked.right.value,
        purpose=asked.purpose,
        state_since=now,
        received_at=asked.received_at or now,
        received_by=f"{by.kind} {by.id}",
        regime=asked.regime or usual_regime(subject.tenant_id),
        zone=subject.tenant.time_zone,
    )
    row.terms = _terms(row)
    set_deadlines(row)
    if asked.details:
        row.details = _sealed(asked.details, row)
    row.full_clean(exclude=("details",))
    row.save(force_insert=True)
    remember(request=row, kind=Kind.MOVED, by=by, after=State.RECEIVED.value)
    noted(request=row, verb="received", by=by)
    return row


@transaction.atomic
def acknowledge(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """The person was told that their request arrived. Rights that need no proof of identity count as proven at once."""
    now = timezone.now()
    row = move(request=request, to=State.ACKNOWLEDGED, by=by, reason=reason, changes={"acknowledged_at": now})
    if Right(row.right) not in WITHOUT_IDENTITY:
        return row
    proof = {"identity": "not_needed", "identity_verified_at": now}
    return move(request=row, to=State.IDENTITY_VERIFIED, by=by, changes=proof)


def review(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """Somebody looks into it.

    Raises:
        RequestRefused: nobody has proved yet who asks.
    """
    _require_identity(request)
    return move(request=request, to=State.IN_REVIEW, by=by, reason=reason)


@transaction.atomic
def approve(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """What was asked for will be done: it is queued for execution."""
    decided = _decision(by, reason)
    row = move(request=request, to=State.APPROVED, by=by, reason=reason, changes=decided)
    return move(request=row, to=State.QUEUED, by=by)


@transaction.atomic
def approve_partially(*, request: SubjectRequest, by: Actor, reason: str) -> SubjectRequest:
    """What was asked for will be done as far as the law allows; the reason says what is left out, and is told them.

    Raises:
        ValidationError: no reason.
    """
    _require(reason, "Say what is left out and why; the person has a right to know.")
    row = move(request=request, to=State.PARTIALLY_APPROVED, by=by, reason=reason, changes=_decision(by, reason))
    return move(request=row, to=State.QUEUED, by=by)


@transaction.atomic
def refuse(*, request: SubjectRequest, by: Actor, reason: str) -> SubjectRequest:
    """Nothing will be done; the reason is told them.

    Raises:
        ValidationError: no reason.
        RequestRefused: it is an erasure that has begun.
    """
    _require(reason, "Say why it is refused; the person has a right to know (GDPR, article 12(4)).")
    erasure_fence.take_back(request=request, to=State.REFUSED, by=by, reason=reason)
    return move(request=request, to=State.REFUSED, by=by, reason=reason, changes=_decision(by, reason))


def ask_back(*, request: SubjectRequest, by: Actor, reason: str) -> SubjectRequest:
    """The person is asked what they mean; the reason says what was asked.

    Raises:
        ValidationError: no reason.
    """
    _require(reason, "Say what the person was asked.")
    return move(request=request, to=State.CLARIFICATION_REQUESTED, by=by, reason=reason)


@transaction.atomic
def extend(*, request: SubjectRequest, by: Actor, reason: str) -> SubjectRequest:
    """Takes the further time that the regime gives, once, before the first deadline; the person is to be told why.

    Raises:
        ValidationError: no reason.
        RequestRefused: the regime knows no extension for this right, it was extended already, or it is too late.
    """
    _require(reason, "Say why more time is needed; the person has a right to know before the first deadline.")
    row, now = locked(request), timezone.now()
    if not regimes.from_json(row.terms).extends(Right(row.right)):
        raise RequestRefused(f"{row.terms['name']} gives no more time for {row.get_right_display().lower()}.")
    if row.extended_at is not None:
        raise RequestRefused(f"It was extended already, until {row.due_on}.")
    if now >= row.due_at:
        raise RequestRefused(f"It was due on {row.due_on}; an extension had to be told before the end of that day.")
    first, row.extended_at = row.due_on, now
    set_deadlines(row)
    longer = {name: getattr(row, name) for name in ("extended_at", "acknowledge_by", "due_on", "due_at", "because")}
    row = move(request=row, to=State.EXTENDED, by=by, reason=reason, changes={**longer, "extension_reason": reason})
    until = {"from": first.isoformat(), "until": row.due_on.isoformat()}
    remember(request=row, kind=Kind.EXTENDED, by=by, reason=reason, details=until)
    return row


def hold(*, request: SubjectRequest, by: Actor, reason: str) -> SubjectRequest:
    """Nothing goes on until somebody resumes it. The clock runs on.

    Raises:
        ValidationError: no reason.
        RequestRefused: nobody has proved yet who asks.
    """
    _require(reason, "Say what it waits for.")
    _require_identity(request)  # what follows a hold is review or execution, and both need it
    return move(request=request, to=State.ON_HOLD, by=by, reason=reason, details={"by_hand": True})


def resume(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """Goes on with what was on hold: with its execution if it was decided, else with its review.

    Raises:
        RequestRefused: nobody has proved yet who asks.
    """
    _require_identity(request)
    to = State.QUEUED if request.decided_at else State.IN_REVIEW
    return move(request=request, to=to, by=by, reason=reason)


@transaction.atomic
def mark_duplicate(*, request: SubjectRequest, of: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """Closes it, because another request asks for the same.

    Raises:
        RequestRefused: the other one is the same row, of somebody else, for another right, or itself a duplicate; or it
            is an erasure that has begun.
    """
    if of.pk == request.pk or (of.subject_id, of.right) != (request.subject_id, request.right):
        raise RequestRefused("A duplicate repeats another request of the same person for the same right.")
    if of.duplicate_of_id:
        raise RequestRefused(f"{of} is a duplicate itself; name the request that it repeats.")
    erasure_fence.take_back(request=request, to=State.DUPLICATE, by=by, reason=reason)
    return move(request=request, to=State.DUPLICATE, by=by, reason=reason, changes={"duplicate_of": of})


def close_as_duplicate(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """The same, of the first request of that person for the same.

    Raises:
        RequestRefused: there is none.
    """
    first = repeated_by(request)
    if first is None:
        raise RequestRefused("The person has no earlier request for the same.")
    return mark_duplicate(request=request, of=first, by=by, reason=reason)


@transaction.atomic
def withdraw(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """The person takes it back; an erasure that waits is cancelled.

    Raises:
        RequestRefused: it is an erasure that has begun.
    """
    erasure_fence.take_back(request=request, to=State.WITHDRAWN, by=by, reason=reason)
    return move(request=request, to=State.WITHDRAWN, by=by, reason=reason)


@transaction.atomic
def read_details(*, request: SubjectRequest, by: Actor, reason: str) -> str:
    """What the person wrote; that it was read goes into the audit log.

    Raises:
        ValidationError: no reason.
        RequestRefused: they wrote nothing, or their key was destroyed.
        KeyStoreUnavailable: their key cannot be read now.
    """
    _require(reason, "Say why you read it; the reason stays in the audit log.")
    if not request.details:
        raise RequestRefused("Nothing was written with this request, or it was deleted with the person.")
    try:
        key = sealing.key_of(request.subject)
    except KeyDestroyed as error:
        raise RequestRefused("The person was erased, and what they wrote with them.") from error
    noted(request=request, verb="details_read", by=by, reason=reason)
    return sealing.opened(
        request.details,
        subject=request.subject,
        key=key,
        record_type=sealing.DETAILS,
        record_id=str(request.public_id),
    )


# --- parts -------------------------------------------------------------------------------------------------------


def _check(subject: Subject, asked: Asked, now: datetime) -> None:
    if asked.received_at and asked.received_at > now:
        raise ValidationError({"received_at": "It cannot have been received in the future."})
    if len(asked.details) > LONGEST:
        raise ValidationError({"details": f"Keep to {LONGEST} characters; attach longer texts elsewhere."})
    if asked.right == Right.RECTIFICATION and not asked.details.strip():
        raise RequestRefused("Send in details what is wrong and what is right.", param="details")
    if asked.purpose and asked.right not in (Right.WITHDRAWAL, Right.OBJECTION):
        raise RequestRefused("Only a withdrawal or an objection names a purpose.", param="purpose")
    known = {purpose.slug for purpose in purposes_of(subject.tenant_id)} if asked.purpose else set()
    if asked.purpose and asked.purpose not in known:
        raise RequestRefused(f"There is no such purpose; there are: {', '.join(sorted(known))}.", param="purpose")


def _terms(row: SubjectRequest) -> dict[str, Any]:
    regime = regime_of(row.tenant_id, row.regime)
    if regime is None:
        raise RequestRefused(f"There is no regime {row.regime[:20]!r}.", param="regime")
    return regimes.as_json(regime)


def _sealed(details: str, row: SubjectRequest) -> bytes:
    surrogate = row.subject.surrogate
    key = keys.make_subject_keys(tenant_id=row.tenant_id, surrogates=[surrogate])[surrogate]
    return sealing.seal(
        details, subject=row.subject, key=key, record_type=sealing.DETAILS, record_id=str(row.public_id)
    )


def _decision(by: Actor, reason: str) -> dict[str, Any]:
    return {"decided_at": timezone.now(), "decided_by": f"{by.kind} {by.id}", "decision_reason": reason}


def _require_identity(request: SubjectRequest) -> None:
    if not request.identity_verified_at:
        raise RequestRefused("Nobody has proved yet who asks. Verify their identity first.", param="state")


def _require(reason: str, text: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": text})
