"""What is read of subject requests; nothing here writes."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from compliance import regimes
from compliance.deadlines import Regime, Term, Unit, local_day
from compliance.keyring.models import ErasureEntry
from compliance.models import ContentPolicy, Erasure, RequestStep, Subject, SubjectRequest, SubjectRequestEvent
from compliance.models import Regime as OwnRegime
from compliance.registry import Person
from compliance.request_states import State
from compliance.rights import Right

WORKING = (State.QUEUED, State.EXECUTING, State.VERIFYING)
"""States in which the worker has something to do."""


def regime_of(tenant_id: int, slug: str) -> Regime | None:
    """The regime of that name, a built-in one or the tenant's own."""
    if slug in regimes.BUILT_IN:
        return regimes.BUILT_IN[slug]
    row = OwnRegime.objects.filter(tenant_id=tenant_id, slug=slug).first()
    return as_regime(row) if row else None


def usual_regime(tenant_id: int) -> str:
    """The regime that holds for a tenant's requests unless another is named."""
    policy = ContentPolicy.objects.filter(tenant_id=tenant_id).first()
    return policy.regime if policy else regimes.DEFAULT


def as_regime(row: OwnRegime) -> Regime:
    """A tenant's row as the value that deadlines are computed from."""
    opt_out = Term(row.opt_out_count, Unit.BUSINESS_DAYS) if row.opt_out_count else None
    return Regime(
        slug=row.slug,
        name=row.name,
        answer=Term(row.answer_count, Unit(row.answer_unit)),
        acknowledge=Term(row.acknowledge_count, Unit(row.acknowledge_unit)) if row.acknowledge_count else None,
        extension=Term(row.extension_count, Unit(row.answer_unit)) if row.extension_count else None,
        special={Right.OPT_OUT: opt_out, Right.LIMIT: opt_out} if opt_out else {},
        weekend=frozenset(row.weekend),
        holidays=frozenset(row.holidays),
        moves=row.moves,
        pauses_for_identity=row.pauses_for_identity,
        pauses_for_clarification=row.pauses_for_clarification,
    )


def locked(request: SubjectRequest) -> SubjectRequest:
    """The row as it is now; whoever else wants to change it waits until the transaction ends."""
    return SubjectRequest.objects.select_for_update(of=("self",)).select_related("subject").get(pk=request.pk)


def open_requests() -> QuerySet[SubjectRequest]:
    """Requests that are not closed, the most urgent first."""
    return SubjectRequest.objects.filter(closed_at__isnull=True).order_by("due_at", "id")


def same_open(*, subject: Subject, right: str, purpose: str) -> SubjectRequest | None:
    """An open request of that person for the same."""
    return open_requests().filter(subject=subject, right=right, purpose=purpose).first()


def repeated_by(request: SubjectRequest) -> SubjectRequest | None:
    """The first request of the same person for the same, if there was one before."""
    same = SubjectRequest.objects.filter(
        subject_id=request.subject_id, right=request.right, purpose=request.purpose, pk__lt=request.pk
    )
    return same.filter(duplicate_of=None).order_by("pk").first()


def to_work_on(*, at: datetime) -> QuerySet[SubjectRequest]:
    """Requests that the worker can go on with: queued ones, and those with a step whose time has come."""
    waiting = RequestStep.objects.filter(state=RequestStep.State.WAITING, try_at__gt=at).values("request_id")
    return SubjectRequest.objects.filter(state__in=WORKING).exclude(pk__in=waiting).order_by("due_at", "id")


def held_erasures_released() -> QuerySet[SubjectRequest]:
    """Erasures that a legal hold stopped and that it stops no more; not those that a person stopped."""
    released = Erasure.objects.exclude(state__in=(Erasure.State.ON_HOLD, Erasure.State.CANCELLED))
    of_them = released.filter(tenant_id=OuterRef("tenant_id"), surrogate=OuterRef("subject__surrogate"))
    stopped = SubjectRequest.objects.filter(
        Exists(of_them), state=State.ON_HOLD, right=Right.ERASURE, steps__isnull=False
    )
    return stopped.exclude(Exists(_put_on_hold())).distinct()


def _put_on_hold() -> QuerySet[SubjectRequestEvent]:
    """Of a request that is on hold: that a person put it there, whereas the worker does where a legal hold is."""
    return SubjectRequestEvent.objects.filter(
        request=OuterRef("pk"), after=State.ON_HOLD.value, details__by_hand=True, at__gte=OuterRef("state_since")
    )


def is_put_on_hold(request_id: int | None) -> bool:
    """Whether a person put that request on hold, and nobody has resumed it."""
    held = SubjectRequest.objects.filter(Exists(_put_on_hold()), state=State.ON_HOLD)
    return request_id is not None and held.filter(pk=request_id).exists()


def is_taken_back(request_id: int | None) -> bool:
    """Whether nothing is to be done about that request any more."""
    closed = (State.WITHDRAWN, State.DUPLICATE, State.REFUSED)
    return request_id is not None and SubjectRequest.objects.filter(pk=request_id, state__in=closed).exists()


def erasure_heir_of(request: SubjectRequest) -> SubjectRequest | None:
    """Another request to erase that person which was decided and waits for the same erasure."""
    others = open_requests().filter(subject_id=request.subject_id, right=Right.ERASURE, decided_at__isnull=False)
    return others.exclude(pk=request.pk).first()


def restriction_of(subject: Subject, *, since: datetime) -> SubjectRequest | None:
    """A request of that person to be restricted, decided since then."""
    rows = SubjectRequest.objects.filter(subject=subject, right=Right.RESTRICTION, decided_at__gte=since)
    return rows.exclude(state__in=(State.REFUSED, State.WITHDRAWN, State.DUPLICATE)).first()


def erasure_of(request: SubjectRequest) -> Erasure | None:
    """The erasure that a request led to; a cancelled one where there is no other."""
    found = Erasure.objects.filter(
        Q(request_id=request.pk) | Q(tenant_id=request.tenant_id, surrogate=request.subject.surrogate)
    )
    return found.exclude(state=Erasure.State.CANCELLED).first() or found.first()


def erasure_request_of(subject: Subject) -> SubjectRequest | None:
    """The request by which an erased person was erased. Of their row itself nothing leads there: the ledger knows."""
    found = Erasure.objects.filter(tenant_id=subject.tenant_id, successor=subject.surrogate).first()
    if found is None and subject.lookup:
        entries = ErasureEntry.objects.filter(tenant_id=subject.tenant_id, lookup=subject.lookup)
        entry = entries.order_by("-number").first()
        found = Erasure.objects.filter(pk=entry.erasure_id).first() if entry else None
    if found is None or found.request_id is None:
        return None
    return SubjectRequest.objects.filter(pk=found.request_id).first()


def vouched_by(request: SubjectRequest) -> set[str]:
    """The officers who said that it is the person who asks; none where an application said so, or a code proved it."""
    if request.identity != "officer":
        return set()
    return set(request.events.filter(after=State.IDENTITY_VERIFIED.value).values_list("by", flat=True))


def person_of(request: SubjectRequest) -> Person:
    """Whom a request is about, as the register of stores names people."""
    return Person(request.tenant_id, request.subject.surrogate)


def days_left(request: SubjectRequest, *, at: datetime | None = None) -> int:
    """Until the last day, in the tenant's zone; negative when it is over."""
    return request.days_left(local_day(at or timezone.now(), request.zone))
