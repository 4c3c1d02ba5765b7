"""The reading of what people wrote: allowed for a reason, put on record first, and then decrypted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from compliance import audit, reasons, rectifications, sealing, transcripts
from compliance.contracts import Actor
from compliance.errors import ActionRefused, DecryptionFailed, KeyDestroyed, KeyStoreUnavailable
from compliance.models import Subject, Transcript
from compliance.rectifications import Statement
from compliance.registry import Person
from compliance.selectors_transcripts import state_of


class ReadingRefused(ActionRefused):
    """The content cannot be read by this person, or by nobody any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was decrypted. It goes to whoever asked, and nowhere else."""

    content: Mapping[str, Any] = field(repr=False)
    corrections: tuple[Statement, ...] = field(repr=False)


def read(*, transcript: Transcript, reason: str, may_read_restricted: bool, by: Actor) -> Reading:
    """Decrypts one conversation, for a reason, after the event `transcript.read` is committed.

    Raises:
        ValidationError: no reason, or one too short to tell anybody anything.
        ReadingRefused: the person is erased; or it is held or restricted, and `may_read_restricted` is false.
        DecryptionFailed: it was altered or moved. That is recorded, too.
        KeyStoreUnavailable: keys cannot be read now. That is recorded, too.
    """
    return _read("transcript.read", transcript, reason, may_read_restricted=may_read_restricted, by=by)


def download(*, transcript: Transcript, reason: str, by: Actor) -> Reading:
    """The same as a whole, to be taken away, with the event `transcript.downloaded`. For those who may read everything.

    Raises:
        ValidationError, ReadingRefused, DecryptionFailed, KeyStoreUnavailable: as `read`.
    """
    return _read("transcript.downloaded", transcript, reason, may_read_restricted=True, by=by)


def _read(action: str, transcript: Transcript, reason: str, *, may_read_restricted: bool, by: Actor) -> Reading:
    reason = reasons.checked(reason)
    row, subject, refusal = _admit(action, transcript, reason, may_read_restricted=may_read_restricted, by=by)
    if refusal or subject is None:
        raise ReadingRefused(refusal)
    try:
        return _opened(row, subject)
    except KeyDestroyed as error:
        _record_failure(action, row, error, reason, by=by)
        raise ReadingRefused("The key of this person was destroyed; the content cannot be read by anybody.") from error
    except (DecryptionFailed, KeyStoreUnavailable) as error:
        _record_failure(action, row, error, reason, by=by)
        raise


@transaction.atomic(durable=True)
def _admit(
    action: str, transcript: Transcript, reason: str, *, may_read_restricted: bool, by: Actor
) -> tuple[Transcript, Subject | None, str]:
    """Decides by the rows as they are now, and puts that on record before anything is decrypted."""
    row = Transcript.objects.get(pk=transcript.pk)
    subject, state = state_of(row)
    refusal = state.refusal(may_read_restricted=may_read_restricted)
    _record(action, row, reason, outcome="refused" if refusal else "success", by=by, after={"held": state.is_held})
    return row, subject, refusal


@transaction.atomic(durable=True)
def _record_failure(action: str, row: Transcript, error: Exception, reason: str, *, by: Actor) -> None:
    _record(action, row, reason, outcome="failure", by=by, after={"error": type(error).__name__})


def _record(
    action: str, row: Transcript, reason: str, *, outcome: str, by: Actor, after: Mapping[str, Any] | None = None
) -> None:
    audit.record(
        by=by,
        action=action,
        target=audit.target_of(row),
        tenant_id=row.tenant_id,
        after={"surrogate": row.surrogate, **(after or {})},
        reason=reason,
        outcome=outcome,
    )


def _opened(row: Transcript, subject: Subject) -> Reading:
    content = transcripts.opened(row, key=sealing.key_of(subject).key)
    person = Person(row.tenant_id, row.surrogate)
    return Reading(content=content, corrections=tuple(rectifications.statements_of(person, transcript_id=row.pk)))
