"""Requests that an application makes for a person who uses it: as far through as policy allows, in one call."""

from django.db import transaction

from compliance.actions import erasure, identity, request_steps, requests
from compliance.actions.requests import Asked
from compliance.contracts import Actor
from compliance.models import Erasure, Subject, SubjectRequest
from compliance.request_states import State
from compliance.rights import WITHOUT_IDENTITY, Right
from compliance.selectors_requests import erasure_request_of, person_of, same_open

BY_POLICY = "Approved by policy: the application vouches for the person."
NO_REVIEW = "Approved by policy: this right needs no review."


def ask(*, subject: Subject, asked: Asked, with_code: bool, by: Actor) -> tuple[SubjectRequest, str, bool]:
    """Files a request and acknowledges it; the application vouches for the person, or gets a code to send them.

    Rights that need neither proof nor review are carried out at once. Returns the request, the code if one was asked
    for, and whether it is new: asking for the same again, while the first is open, gives the first.

    Raises:
        SubjectErased, RequestRefused, ValidationError, KeyStoreUnavailable: as `requests.receive`.
    """
    with transaction.atomic():
        subject = Subject.objects.select_for_update(no_key=True).get(
            pk=subject.pk
        )  # who asks twice at once takes turns
        found = _done(subject, asked.right) or same_open(subject=subject, right=asked.right, purpose=asked.purpose)
        if found and asked.right != Right.RECTIFICATION:
            return found, "", False
        row = requests.receive(subject=subject, asked=asked, by=by)
        row = requests.acknowledge(request=row, by=by)
        code = ""
        if asked.right in WITHOUT_IDENTITY:
            row = _approved(row, NO_REVIEW, by)
        elif with_code:
            code = identity.make_code(request=row, by=by)
        else:
            row = identity.vouch(request=row, by=by)
    if row.state == State.QUEUED:
        request_steps.execute(request=row, by=by)
    row.refresh_from_db()
    return row, code, True


def erase(*, subject: Subject, by: Actor) -> SubjectRequest:
    """Erases a person: fence and destruction of their key before this returns, the rest by the worker. Idempotent.

    Raises:
        RuntimeError: called inside a transaction.
    """
    if done := _done(subject, Right.ERASURE):
        return done
    row = _erasure_request(subject, by)
    if row.state in (State.QUEUED, State.EXECUTING):
        begun = erasure.begin(person=person_of(row), request_id=row.pk, by=by)
        if begun.state == Erasure.State.ON_HOLD:
            request_steps.execute(request=row, by=by)
    row.refresh_from_db()
    return row


def _done(subject: Subject, right: Right) -> SubjectRequest | None:
    """The request by which the person was erased already, if that is what is asked for."""
    is_erased = right == Right.ERASURE and subject.state == Subject.State.ERASED
    return erasure_request_of(subject) if is_erased else None


@transaction.atomic
def _erasure_request(subject: Subject, by: Actor) -> SubjectRequest:
    """The open request to erase that person, approved; a new one where there is none."""
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    row = same_open(subject=subject, right=Right.ERASURE, purpose="")
    if row is None:
        row = requests.receive(subject=subject, asked=Asked(right=Right.ERASURE), by=by)
    if row.state == State.RECEIVED:
        row = requests.acknowledge(request=row, by=by)
    if row.state in (State.ACKNOWLEDGED, State.IDENTITY_PENDING, State.CLARIFICATION_REQUESTED, State.EXTENDED):
        row = identity.vouch(request=row, by=by) if not row.identity_verified_at else row
    return _approved(row, BY_POLICY, by)


def _approved(row: SubjectRequest, reason: str, by: Actor) -> SubjectRequest:
    if row.state in (State.IDENTITY_VERIFIED, State.CLARIFICATION_REQUESTED, State.EXTENDED):
        row = requests.review(request=row, by=by)
    return requests.approve(request=row, by=by, reason=reason) if row.state == State.IN_REVIEW else row
