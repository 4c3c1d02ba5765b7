"""What is known of transcripts without decrypting them: who may read them, and the decisions about them."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import BooleanField, Count, Func, Q, QuerySet

from compliance import holds
from compliance.models import ContentDecision, Subject, Transcript
from compliance.registry import Person

# What a hold covers is set apart some minutes after it was approved (`holds.settle`); it is held from the approval on.
IS_HELD = Q(held=True) | Q(
    Func(
        *("tenant_id", "surrogate", "api_key_id", "model", "application_id", "environment", "created_at", "outcome"),
        function="is_held",
        output_field=BooleanField(),
    )
)
"""Whether a legal hold keeps a transcript, as a condition of queries; `is_held` is in `sql/retention.sql`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Why the content of a transcript may be closed to people."""

    is_known: bool
    """False: the mapping table has nobody with that surrogate."""
    erased_at: datetime | None
    is_restricted: bool
    is_held: bool

    @property
    def unreadable(self) -> str:
        """Why nobody can read it; empty where somebody can."""
        if self.erased_at is not None:
            day = f"{self.erased_at:%-d %B %Y}"
            return f"This person was erased on {day}; the content cannot be read by anybody."
        return "" if self.is_known else "Nobody is known under this surrogate; the content cannot be read by anybody."

    @property
    def closed(self) -> str:
        """Why only the legal role may read it; empty where that is not so."""
        causes = []
        if self.is_held:
            causes.append("is under a legal hold")
        if self.is_restricted:
            causes.append("is of a person whose data is restricted")
        return f"This conversation {' and '.join(causes)}." if causes else ""

    def refusal(self, *, may_read_restricted: bool) -> str:
        """Why somebody may not read it; empty where they may."""
        if self.unreadable or (self.closed and may_read_restricted):
            return self.unreadable
        return f"{self.closed} Only the legal role may read it." if self.closed else ""


def state_of(transcript: Transcript) -> tuple[Subject | None, State]:
    """The person of a transcript, and what that means for whoever wants to read it."""
    subject = Subject.objects.filter(tenant_id=transcript.tenant_id, surrogate=transcript.surrogate).first()
    erased = subject is not None and subject.state == Subject.State.ERASED
    return subject, State(
        is_known=subject is not None,
        erased_at=subject.state_since if subject and erased else None,
        is_restricted=subject is not None and subject.state == Subject.State.RESTRICTED,
        is_held=transcript.held or Transcript.objects.filter(IS_HELD, pk=transcript.pk).exists(),
    )


def closed_of(subject: Subject) -> str:
    """Why only the legal role may see all that is stored of a person at once; empty where that is not so."""
    causes = []
    if subject.state == Subject.State.RESTRICTED:
        causes.append("their data is restricted")
    if (
        holds.covering(Person(subject.tenant_id, subject.surrogate))
        or _transcripts_of(subject).filter(held=True).exists()
    ):
        causes.append("something of theirs is under a legal hold")
    return " and ".join(causes)


def conversations_of(subject: Subject) -> tuple[int, int]:
    """How many conversations of a person are stored, and how many of them a legal hold keeps."""
    counts = _transcripts_of(subject).aggregate(all=Count("pk"), held=Count("pk", filter=IS_HELD))
    return counts["all"], counts["held"]


def _transcripts_of(subject: Subject) -> QuerySet[Transcript]:
    return Transcript.objects.filter(tenant_id=subject.tenant_id, surrogate=subject.surrogate)


def decisions_since(at: datetime) -> dict[str, int]:
    """How many requests' content was stored (under the empty reason), and how many were not, by reason."""
    counted = ContentDecision.objects.filter(at__gte=at).order_by().values_list("reason").annotate(requests=Count("*"))
    return dict(counted)
