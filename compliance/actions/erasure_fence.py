"""The fence of an erasure, behind which nothing more of a person is stored; or why it is not put up yet, or not at all.

Each of these is one transaction, and locks in one order: the turn of retention, the person, the erasure, the request.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from compliance import audit, kept, surrogates
from compliance.actions import subjects
from compliance.contracts import Actor
from compliance.errors import ActionRefused, RequestRefused
from compliance.models import Erasure, Subject, SubjectRequest
from compliance.registry import Person
from compliance.request_states import State, is_legal
from compliance.retention import take_turn
from compliance.rights import Right
from compliance.selectors_requests import erasure_heir_of, is_put_on_hold, is_taken_back, restriction_of


@transaction.atomic(durable=True)
def put_up(*, person: Person, request_id: int | None, by: Actor, reason: str = "") -> Erasure:
    """The person's erasure: as it is, or begun, behind the fence or waiting for a hold.

    Raises:
        Subject.DoesNotExist: nobody has that surrogate.
        ActionRefused: the surrogate is what an erasure left behind.
        RequestRefused: the request was taken back.
    """
    take_turn()  # or a hold that is approved right now would be overlooked
    subject = _locked(person)
    found = _open_ones(person).select_for_update().first()
    if found and found.fenced_at:
        return found
    if is_taken_back(request_id):
        raise RequestRefused("The request was taken back or refused, so nobody is erased.", param="state")
    if found is None:
        if subject.lookup is None:
            raise ActionRefused(f"{subject} is what an erasure left behind; nothing is left of them to erase.")
        found = _begin(person, request_id=request_id, by=by, reason=reason)
    elif request_id:
        found.request_id = request_id  # two requests for one erasure: who asks last answers for it
    return _fence_unless_kept(found, subject, by=by)


@transaction.atomic(durable=True)
def put_up_if_released(*, erasure: Erasure, by: Actor) -> Erasure:
    """Fences whom nothing keeps any more; drops an erasure whose request was taken back while it waited."""
    take_turn()
    subject = _locked(erasure.person)
    row = Erasure.objects.select_for_update().get(pk=erasure.pk)
    if row.fenced_at or row.state != Erasure.State.ON_HOLD:
        return row
    if is_taken_back(row.request_id):
        return _cancel(row, subject, by=by, reason="the request was taken back")
    return _fence_unless_kept(row, subject, by=by)


@transaction.atomic
def take_back(*, request: SubjectRequest, to: State, by: Actor, reason: str = "") -> None:
    """Cancels what a request to erase has begun, as it is to be closed as `to`. Another request of that person goes on
    with it where there is one.

    Raises:
        RequestRefused: the person is behind the fence already.
    """
    if request.right != Right.ERASURE:
        return
    take_turn()
    subject = Subject.objects.select_for_update().get(pk=request.subject_id)
    request.refresh_from_db(fields=("state",))
    of_it = Erasure.objects.filter(request_id=request.pk).exclude(state=Erasure.State.CANCELLED)
    row = of_it.select_for_update().first()
    if row is None or not is_legal(State(request.state), to):
        return
    if row.fenced_at:
        raise RequestRefused("The erasure has begun and cannot be taken back: nothing brings the person back.")
    if (heir := erasure_heir_of(request)) is not None:
        row.request_id = heir.pk
        row.save(update_fields=("request_id",))
        return
    _cancel(row, subject, by=by, reason=reason)


def note(*, erasure: Erasure, verb: str, by: Actor, reason: str = "") -> None:
    """Adds to the audit log what happened to an erasure."""
    audit.record(
        by=by,
        action=f"erasure.{verb}",
        target=audit.target_of(erasure),
        tenant_id=erasure.tenant_id,
        after={"surrogate": erasure.surrogate, "state": str(erasure.state), "request_id": erasure.request_id},
        reason=reason,
    )


# --- parts -------------------------------------------------------------------------------------------------------


def _locked(person: Person) -> Subject:
    """The row, once everybody who is storing something of this person is through; from here on they wait for us."""
    return Subject.objects.select_for_update().get(tenant_id=person.tenant_id, surrogate=person.surrogate)


def _open_ones(person: Person) -> QuerySet[Erasure]:
    rows = Erasure.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate)
    return rows.exclude(state=Erasure.State.CANCELLED)


def _begin(person: Person, *, request_id: int | None, by: Actor, reason: str) -> Erasure:
    erasure = Erasure.objects.create(
        tenant_id=person.tenant_id,
        surrogate=person.surrogate,
        request_id=request_id,
        state=Erasure.State.ON_HOLD,
        reason=reason,
        requested_by=f"{by.kind} {by.id}",
    )
    note(erasure=erasure, verb="requested", by=by, reason=reason)
    return erasure


def _fence_unless_kept(erasure: Erasure, subject: Subject, *, by: Actor) -> Erasure:
    reasons = kept.of_person(erasure.person)
    if is_put_on_hold(erasure.request_id):
        reasons.append("Its request was put on hold; resume it first.")
    if not reasons:
        return _fence(erasure, subject, by=by)
    erasure.problem = "; ".join(reasons)
    if subject.state == Subject.State.ACTIVE:
        erasure.restricts = True
        subjects.restrict(subject=subject, by=by, reason="to be erased as soon as nothing forbids it")
    erasure.save(update_fields=("problem", "restricts", "request_id"))
    return erasure


def _fence(erasure: Erasure, subject: Subject, *, by: Actor) -> Erasure:
    """The surrogate becomes nobody's; the person stays erased under another one, which nothing stored so far knows."""
    lookup, blocked_at, now = subject.lookup or "", subject.blocked_at, timezone.now()
    subject.state, subject.lookup, subject.external_id, subject.state_since = Subject.State.ERASED, None, None, now
    subject.blocked_at = None
    subject.save(update_fields=("state", "lookup", "external_id", "state_since", "blocked_at"))
    erasure.state, erasure.fenced_at, erasure.problem = Erasure.State.RUNNING, now, ""
    erasure.lookup, erasure.successor = lookup, _successor(subject, lookup, blocked_at)
    erasure.save()
    note(erasure=erasure, verb="fenced", by=by)
    return erasure


def _successor(subject: Subject, lookup: str, blocked_at: datetime | None) -> str:
    """The surrogate under which the person stays erased; none where nothing says any more who they were.

    Whose requests are refused stays refused: an erasure must be no way around it (GDPR, 17(3)(e) and 21(1)).
    """
    if not lookup:
        return ""
    row = Subject.objects.create(
        tenant_id=subject.tenant_id,
        surrogate=surrogates.generate(),
        lookup=lookup,
        state=Subject.State.ERASED,
        blocked_at=blocked_at,
    )
    return row.surrogate


def _cancel(erasure: Erasure, subject: Subject, *, by: Actor, reason: str) -> Erasure:
    """Ends the restriction, too, that the waiting has set, unless the person has asked for one since."""
    erasure.state, erasure.problem, erasure.finished_at = Erasure.State.CANCELLED, "", timezone.now()
    erasure.save(update_fields=("state", "problem", "finished_at"))
    note(erasure=erasure, verb="cancelled", by=by, reason=reason)
    is_restricted = subject.state == Subject.State.RESTRICTED
    if erasure.restricts and is_restricted and not restriction_of(subject, since=erasure.requested_at):
        subjects.unrestrict(subject=subject, by=by, reason="the erasure that it was for was taken back")
    return erasure
