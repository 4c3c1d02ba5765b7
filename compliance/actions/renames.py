"""Corrects what a tenant's applications call a person (GDPR, article 16): the person stays who they are."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from compliance import audit, external_ids
from compliance.actions import keys
from compliance.actions.subjects import LONGEST
from compliance.contracts import Actor
from compliance.errors import ActionRefused, SubjectErased
from compliance.lookups import lookup_of
from compliance.models import Erasure, Subject

BEGUN = (Erasure.State.ON_HOLD, Erasure.State.RUNNING, Erasure.State.INCOMPLETE)


@transaction.atomic
def rename(*, subject: Subject, external_id: str, by: Actor, reason: str) -> Subject:
    """From now on requests that name `external_id` are this person's; those with the former id are somebody new's.

    Nothing else changes: everything knows the person by their surrogate. Gateways are told by the database.

    Raises:
        ValidationError: no reason, or no id that a request could name.
        SubjectErased: there is nobody to be called anything.
        ActionRefused: it is their id already, somebody else's, or that of an erased person; or they are being erased.
        KeyDestroyed, KeyStoreUnavailable: the new id cannot be kept now.
    """
    _check(external_id, reason)
    row = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    _require_possible(row)
    lookup = lookup_of(row.tenant_id, external_id)
    if lookup == row.lookup:
        raise ActionRefused("The person has this id already.")
    row.lookup, row.external_id = lookup, _sealed(row, external_id)
    _save(row)
    audit.record(
        by=by,
        action="subject.renamed",
        target=audit.target_of(row),
        tenant_id=row.tenant_id,
        after={"surrogate": row.surrogate},
        reason=reason,
    )
    return row


def _check(external_id: str, reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": "Say why the id is corrected; the reason stays in the audit log."})
    if not external_id.strip() or len(external_id) > LONGEST or "\0" in external_id:
        raise ValidationError({"external_id": f"Enter the person's id in the application, 1 to {LONGEST} characters."})


def _require_possible(row: Subject) -> None:
    if row.state == Subject.State.ERASED:
        raise SubjectErased(f"{row} was erased.")
    # An erasure remembers the lookup that it began with: by another one the person would come back.
    of_them = Erasure.objects.filter(tenant_id=row.tenant_id, surrogate=row.surrogate, fenced_at=None)
    if of_them.filter(state__in=BEGUN).exists():
        raise ActionRefused(f"{row} is to be erased. Correct the id when that is over, or was taken back.")


def _sealed(row: Subject, external_id: str) -> bytes:
    key = keys.make_subject_keys(tenant_id=row.tenant_id, surrogates=[row.surrogate])[row.surrogate]
    return external_ids.seal(external_id, key=key, tenant_id=row.tenant_id, surrogate=row.surrogate, subject_id=row.pk)


def _save(row: Subject) -> None:
    """The index decides between us and whoever takes the id at the same moment."""
    try:
        with transaction.atomic():
            row.save(update_fields=("lookup", "external_id"))
    except IntegrityError as error:
        raise ActionRefused("Somebody else has this id, or had it when they were erased.") from error
