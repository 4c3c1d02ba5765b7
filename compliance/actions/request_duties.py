"""What each right obliges to: the steps of its execution, and how each is done and looked at afterwards. Idempotent."""

from collections.abc import Callable
from dataclasses import dataclass

from compliance import sealing
from compliance.actions import consents, erasure, exports, keys, subjects
from compliance.actions.request_moves import noted
from compliance.consent_states import ALLOWING
from compliance.contracts import Actor
from compliance.errors import ErasureIncomplete, RequestRefused
from compliance.exports import contents, files
from compliance.models import ConsentRecord, Erasure, Rectification, RequestStep, Subject, SubjectRequest
from compliance.rights import EXPORTING, Right
from compliance.selectors import purposes_of
from compliance.selectors_requests import erasure_of, person_of

EXPORT, RESTRICTION, CONSENTS, RECTIFICATION, ERASURE = "export", "restriction", "consents", "rectification", "erasure"


class Waits(Exception):
    """A legal hold stands in the way: nothing is wrong, but it cannot go on now."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One step: its name, what people read, how it is done (returning how many rows), and what is left undone."""

    name: str
    title: str
    do: Callable[[SubjectRequest, Actor], int]
    left: Callable[[SubjectRequest], str]


def duties_of(*, request: SubjectRequest, by: Actor) -> list[Duty]:
    """The steps of a request, in order."""
    right = Right(request.right)
    if right not in EXPORTING:
        return list(_DUTIES[right])
    return [*(_collecting(store.name) for store in contents.stores_for(right)), _EXPORTING]


def duty_of(*, step: RequestStep, by: Actor) -> Duty:
    """What a step does.

    Raises:
        RequestRefused: its store is registered no more.
    """
    fixed = {duty.name: duty for duty in (_EXPORTING, *(each for duties in _DUTIES.values() for each in duties))}
    return fixed.get(step.store) or _collecting(step.store)


def _collecting(name: str) -> Duty:
    store = contents.store_named(name)
    if store is None:
        raise RequestRefused(f"The store {name} is registered no more.")
    found = store

    def do(request: SubjectRequest, by: Actor) -> int:
        return exports.collect(request=request, store=found, by=by)

    return Duty(name, store.title, do, lambda request: "")


# --- how ---------------------------------------------------------------------------------------------------------


def _export(request: SubjectRequest, by: Actor) -> int:
    try:
        return exports.assemble(request=request, by=by).records
    except FileNotFoundError:
        # On another machine, or swept away: what was collected is collected again.
        collected = request.steps.exclude(store=EXPORT)
        collected.update(state=RequestStep.State.WAITING, done_at=None, try_at=None)
        raise


def _export_is_there(request: SubjectRequest) -> str:
    return "" if files.whole(request.public_id).exists() else "the file is not there"


def _restrict(request: SubjectRequest, by: Actor) -> int:
    subjects.restrict(subject=request.subject, by=by, reason=f"subject request {request.pk}")
    return 1


def _is_restricted(request: SubjectRequest) -> str:
    state = Subject.objects.get(pk=request.subject_id).state
    return "" if state != Subject.State.ACTIVE else "the person is not restricted"


def _end_consents(request: SubjectRequest, by: Actor) -> int:
    """Withdraws what the right is about: one purpose or all, or those that a browser's signal opts out of.

    An objection is to whatever rests on the person's say here, as a withdrawal is; unlike one, it also restricts.
    """
    reason = f"subject request {request.pk}"
    return sum(
        consents.withdraw(subject=request.subject, purpose=purpose, by=by, reason=reason).is_new
        for purpose in _purposes(request)
    )


def _consents_are_ended(request: SubjectRequest) -> str:
    live = ConsentRecord.objects.filter(
        subject=request.subject, live=True, state__in=ALLOWING, purpose__in=_purposes(request)
    )
    return ", ".join(f"{record.purpose} is still allowed" for record in live)


def _purposes(request: SubjectRequest) -> list[str]:
    if request.purpose:
        return [request.purpose]
    purposes = purposes_of(request.tenant_id)
    if request.right not in (Right.WITHDRAWAL, Right.OBJECTION):
        purposes = purposes.filter(honours_gpc=True)
    return list(purposes.values_list("slug", flat=True))


def _rectify(request: SubjectRequest, by: Actor) -> int:
    """Files the person's correction, encrypted, so that it is shown with their conversations."""
    if request.rectifications.exists():
        return 1
    subject = request.subject
    key = keys.make_subject_keys(tenant_id=subject.tenant_id, surrogates=[subject.surrogate])[subject.surrogate]
    text = sealing.opened(
        request.details or b"",
        subject=subject,
        key=key,
        record_type=sealing.DETAILS,
        record_id=str(request.public_id),
    )
    row = Rectification(tenant_id=request.tenant_id, subject=subject, request=request)
    row.statement = sealing.seal(
        text, subject=subject, key=key, record_type=sealing.RECTIFICATION, record_id=str(row.pk)
    )
    row.save(force_insert=True)
    noted(request=request, verb="rectified", by=by)
    return 1


def _is_rectified(request: SubjectRequest) -> str:
    return "" if request.rectifications.exists() else "the correction is not filed"


def _erase(request: SubjectRequest, by: Actor) -> int:
    """Fence and destruction at once, the rest as far as it goes now.

    Raises:
        Waits: a legal hold keeps it.
        ErasureIncomplete: some store could not be reached.
    """
    begun = erasure.begin(person=person_of(request), request_id=request.pk, by=by)
    done = erasure.advance(erasure=begun, by=by)
    if done.state == Erasure.State.ON_HOLD:
        # The person is given the history of their request, and may not learn what a hold is about. The erasure says it.
        raise Waits("It has to be kept for now; the page of the erasure says why.")
    if done.state != Erasure.State.COMPLETE:
        raise ErasureIncomplete(done.problem or "it is not complete yet")
    return sum(done.steps.values_list("erased", flat=True))


def _is_erased(request: SubjectRequest) -> str:
    found = erasure_of(request)
    return "" if found and found.state == Erasure.State.COMPLETE else "the erasure is not complete"


_RESTRICTING = Duty(RESTRICTION, "Processing restricted", _restrict, _is_restricted)
_ENDING = Duty(CONSENTS, "Consents withdrawn", _end_consents, _consents_are_ended)
_EXPORTING = Duty(EXPORT, "Export assembled and signed", _export, _export_is_there)
_DUTIES = {
    Right.RECTIFICATION: (Duty(RECTIFICATION, "Correction filed with the conversations", _rectify, _is_rectified),),
    Right.ERASURE: (Duty(ERASURE, "Person erased", _erase, _is_erased),),
    Right.RESTRICTION: (_RESTRICTING,),
    Right.OBJECTION: (_RESTRICTING, _ENDING),
    Right.WITHDRAWAL: (_ENDING,),
    Right.OPT_OUT: (_ENDING,),
    Right.LIMIT: (_ENDING,),
}
