"""What people corrected, for whoever shows their conversations: a correction is to be seen with what it corrects."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from compliance import sealing
from compliance.models import Rectification, Subject
from compliance.registry import Person


@dataclass(frozen=True, slots=True)
class Statement:
    """One correction, in the person's words."""

    text: str
    made_at: datetime


def statements_of(person: Person, *, transcript_id: UUID | None = None) -> list[Statement]:
    """A person's corrections, oldest first: all of them, or those about one conversation and about all of them.

    Raises:
        KeyDestroyed: the person was erased.
        KeyStoreUnavailable: their key cannot be read now.
    """
    rows = Rectification.objects.filter(tenant_id=person.tenant_id, subject__surrogate=person.surrogate)
    if transcript_id is not None:
        rows = rows.filter(Q(transcript_id=transcript_id) | Q(transcript_id__isnull=True))
    found = list(rows)
    if not found:
        return []
    subject = Subject.objects.get(tenant_id=person.tenant_id, surrogate=person.surrogate)
    key = sealing.key_of(subject)
    return [
        Statement(
            sealing.opened(
                row.statement,
                subject=subject,
                key=key,
                record_type=sealing.RECTIFICATION,
                record_id=str(row.pk),
            ),
            row.created_at,
        )
        for row in found
    ]
