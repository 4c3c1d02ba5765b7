"""What can be done with the people behind surrogates: find or enrol them, restrict, enrol again after an erasure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.utils import timezone

from compliance import audit, external_ids, surrogates
from compliance.actions import keys
from compliance.contracts import Actor
from compliance.errors import ActionRefused, KeyDestroyed, KeyStoreUnavailable, SubjectErased
from compliance.lookups import lookup_of
from compliance.models import Erasure, Subject
from compliance.selectors import find as find

log = structlog.get_logger()

_KEEP_NAMES = """
UPDATE compliance_subject AS subject SET external_id = kept.sealed
FROM unnest(%s::bigint[], %s::bytea[]) AS kept (id, sealed)
WHERE subject.id = kept.id AND subject.external_id IS NULL AND subject.state <> 'erased'
"""

LONGEST = 128
"""Of an external id, in characters; the same as on the data plane."""


@dataclass(frozen=True, slots=True)
class Known:
    """A person, as those need to know them who store or meter something."""

    subject_id: int
    surrogate: str
    state: str

    @property
    def is_active(self) -> bool:
        """Whether content may be stored at all, consent given."""
        return self.state == Subject.State.ACTIVE


def resolve(*, tenant_id: int, wanted: Mapping[str, str]) -> dict[str, Known]:
    """Finds the people of `wanted` (lookup → external id), enrols those never seen, and returns them by lookup.

    Whoever races with another enrolment gets the same row. The external id is kept encrypted; where the key store is
    down it is filled in when the person is seen again.
    """
    found = _rows(tenant_id, wanted)
    missing = wanted.keys() - found.keys()
    if missing:
        _insert(tenant_id, missing)
        found |= _rows(tenant_id, missing)
    nameless = {row: wanted[lookup] for lookup, row in found.items() if row.is_nameless}
    if nameless:
        _name(tenant_id, nameless)
    return {lookup: Known(row.pk, row.surrogate, row.state) for lookup, row in found.items()}


class _Row(NamedTuple):
    lookup: str
    pk: int
    surrogate: str
    state: str
    has_name: bool

    @property
    def is_nameless(self) -> bool:
        """Whether the external id is still to be kept."""
        return not self.has_name and self.state != Subject.State.ERASED


def _rows(tenant_id: int, lookups: Collection[str]) -> dict[str, _Row]:
    has_name = ExpressionWrapper(Q(external_id__isnull=False), output_field=BooleanField())
    found = Subject.objects.filter(tenant_id=tenant_id, lookup__in=list(lookups)).annotate(has_name=has_name)
    return {row[0]: _Row(*row) for row in found.values_list(*_Row._fields)}


def _name(tenant_id: int, nameless: Mapping[_Row, str]) -> None:
    """Keeps the external ids, encrypted. Not now where the key store is down, and never for whom it has destroyed."""
    try:
        data_keys = keys.make_subject_keys(tenant_id=tenant_id, surrogates=[row.surrogate for row in nameless])
    except (KeyStoreUnavailable, KeyDestroyed) as error:
        log.warning("external ids are not kept yet", kind=type(error).__name__, count=len(nameless))
        return
    sealed = [
        external_ids.seal(
            name, key=data_keys[row.surrogate], tenant_id=tenant_id, surrogate=row.surrogate, subject_id=row.pk
        )
        for row, name in nameless.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_NAMES, [[row.pk for row in nameless], sealed])


def _insert(tenant_id: int, lookups: Collection[str]) -> None:
    """Adds those who are not there, in an order that two of us share, so that neither waits for the other in a ring."""
    Subject.objects.bulk_create(
        [Subject(tenant_id=tenant_id, lookup=lookup, surrogate=surrogates.generate()) for lookup in sorted(lookups)],
        ignore_conflicts=True,
    )


@transaction.atomic
def enrol(*, tenant_id: int, external_id: str, by: Actor) -> Subject:
    """The person whom the tenant's applications call so; somebody new is enrolled.

    Raises:
        ValidationError: the external id is empty or too long.
    """
    _require_external_id(external_id)
    lookup = lookup_of(tenant_id, external_id)
    is_new = not Subject.objects.filter(tenant_id=tenant_id, lookup=lookup).exists()
    known = resolve(tenant_id=tenant_id, wanted={lookup: external_id})[lookup]
    subject = Subject.objects.get(pk=known.subject_id)
    if is_new:
        _event(subject, "enrolled", by=by)
    return subject


@transaction.atomic
def restrict(*, subject: Subject, by: Actor, reason: str = "") -> Subject:
    """Restricts processing (GDPR, article 18): nothing more is stored, and what is there only the legal role reads.

    Raises:
        SubjectErased: there is nobody to restrict.
    """
    return _set_state(subject, Subject.State.RESTRICTED, "restricted", by=by, reason=reason)


@transaction.atomic
def unrestrict(*, subject: Subject, by: Actor, reason: str = "") -> Subject:
    """Ends a restriction.

    Raises:
        SubjectErased: the person was erased meanwhile.
        ActionRefused: they are to be erased as soon as nothing keeps their content, and stay restricted until then.
    """
    subject = _locked(subject)
    waiting = Erasure.objects.filter(
        tenant_id=subject.tenant_id, surrogate=subject.surrogate, state=Erasure.State.ON_HOLD
    )
    if subject.state != Subject.State.ERASED and waiting.exists():
        raise ActionRefused(
            f"{subject} is to be erased. If the person has changed their mind, close the request first."
        )
    return _set_state(subject, Subject.State.ACTIVE, "unrestricted", by=by, reason=reason)


@transaction.atomic
def block(*, subject: Subject, by: Actor, reason: str) -> Subject:
    """Has all gateways refuse the person's requests, until somebody ends it. An erasure does not end it.

    Raises:
        ValidationError: no reason.
        ActionRefused: the row is what an erasure left and stands for nobody.
    """
    if not reason.strip():
        raise ValidationError("Say why the person's requests are refused; the reason stays in the audit log.")
    return _set_blocked(subject, timezone.now(), "blocked", by=by, reason=reason)


@transaction.atomic
def unblock(*, subject: Subject, by: Actor, reason: str = "") -> Subject:
    """Has the person's requests answered again.

    Raises:
        ActionRefused: the row is what an erasure left and stands for nobody.
    """
    return _set_blocked(subject, None, "unblocked", by=by, reason=reason)


@transaction.atomic
def reenrol(*, subject: Subject, by: Actor, reason: str) -> Subject:
    """Enrols an erased person again, as somebody new: nothing of before comes back, consent included.

    Raises:
        ValidationError: no reason.
        ActionRefused: they are not erased, or the row is what an erasure left and stands for nobody.
    """
    if not reason.strip():
        raise ValidationError("Say why the person may be enrolled again; the reason stays in the audit log.")
    subject = _locked(subject)
    if subject.state != Subject.State.ERASED:
        raise ActionRefused(f"{subject} is not erased, so there is nothing to enrol again.")
    if subject.lookup is None:
        raise ActionRefused(f"{subject} is what an erasure left behind and stands for nobody any more.")
    return _move(subject, Subject.State.ACTIVE, "reenrolled", by=by, reason=reason)


@transaction.atomic
def identify(*, subject: Subject, by: Actor, reason: str) -> str | None:
    """Tells who is behind a surrogate, and puts on record who asked and why; None where it was never kept, or not yet.

    Raises:
        ValidationError: no reason.
        KeyDestroyed: the person was erased.
        KeyStoreUnavailable: try later.
    """
    if not reason.strip():
        raise ValidationError("Say why you need to know; the reason stays in the audit log.")
    _event(subject, "identified", by=by, reason=reason)
    return external_ids.external_id_of(subject)


def _set_state(subject: Subject, state: Subject.State, verb: str, *, by: Actor, reason: str) -> Subject:
    subject = _locked(subject)
    if subject.state == Subject.State.ERASED:
        raise SubjectErased(f"{subject} was erased.")
    return subject if subject.state == state else _move(subject, state, verb, by=by, reason=reason)


def _set_blocked(subject: Subject, at: datetime | None, verb: str, *, by: Actor, reason: str) -> Subject:
    subject = _locked(subject)
    if subject.lookup is None:
        raise ActionRefused(f"{subject} is what an erasure left behind and stands for nobody any more.")
    if (subject.blocked_at is None) == (at is None):
        return subject
    subject.blocked_at = at
    subject.save(update_fields=("blocked_at",))
    _event(subject, verb, by=by, reason=reason)
    return subject


def _locked(subject: Subject) -> Subject:
    """The row as it is now; whoever stores something of this person waits for us, or we for them."""
    return Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)


def _move(subject: Subject, state: Subject.State, verb: str, *, by: Actor, reason: str) -> Subject:
    before, subject.state, subject.state_since = subject.state, state, timezone.now()
    subject.save(update_fields=("state", "state_since"))
    _event(subject, verb, by=by, reason=reason, before={"state": str(before)}, after={"state": str(state)})
    return subject


def _event(
    subject: Subject,
    verb: str,
    *,
    by: Actor,
    reason: str = "",
    before: Mapping[str, str] | None = None,
    after: Mapping[str, str] | None = None,
) -> None:
    """Names the person by their surrogate."""
    audit.record(
        by=by,
        action=f"subject.{verb}",
        target=audit.target_of(subject),
        tenant_id=subject.tenant_id,
        before=before,
        after={"surrogate": subject.surrogate, **(after or {})},
        reason=reason,
    )


def _require_external_id(external_id: str) -> None:
    if not external_id.strip() or len(external_id) > LONGEST:
        raise ValidationError({"subject": f"Send the person's id in your application, 1 to {LONGEST} characters."})
