"""Audited writes of one row: what the actions of every app are made of."""

from collections.abc import Collection
from typing import TypeVar

from django.db import models, transaction

from compliance import audit
from compliance.contracts import Actor

Row = TypeVar("Row", bound=models.Model)


@transaction.atomic
def create(row: Row, *, by: Actor, reason: str = "") -> Row:
    """Validates and inserts `row`, with the event `<model>.created`.

    Raises:
        ValidationError: a field, or a constraint of the model, does not hold.
    """
    row.full_clean()
    row.save(force_insert=True)
    audit.record(
        by=by,
        action=f"{row._meta.model_name}.created",
        target=audit.target_of(row),
        tenant_id=tenant_of(row),
        after=audit.fields_of(row),
        reason=reason,
    )
    return row


@transaction.atomic
def change(
    row: Row, *, by: Actor, verb: str = "changed", reason: str = "", fields: Collection[str] | None = None
) -> Row:
    """Validates and saves `row`, with the event `<model>.<verb>` that holds the changed fields; no change, no event.

    With `fields` (column names) only those are taken from `row`; the others become what is stored now, so that an older
    copy cannot undo what somebody else did meanwhile. The others are not judged anew either: rules change, and a key
    that breaks a later one must still be revocable.

    Raises:
        ValidationError: a changed field, or a constraint of the model, does not hold.
    """
    stored = type(row)._default_manager.select_for_update().get(pk=row.pk)
    if fields is not None:
        _refresh(row, stored, but=fields)
    before, after = audit.difference(audit.fields_of(stored), audit.fields_of(row))
    _validate(row, fields)
    row.save(force_update=True)
    if after or _secrets_differ(stored, row):
        audit.record(
            by=by,
            action=f"{row._meta.model_name}.{verb}",
            target=audit.target_of(row),
            tenant_id=tenant_of(row),
            before=before,
            after=after,
            reason=reason,
        )
    return row


@transaction.atomic
def delete(row: models.Model, *, by: Actor, reason: str = "") -> None:
    """Deletes `row`, with the event `<model>.deleted` that holds what it was.

    Raises:
        ProtectedError: other rows still need it.
    """
    target, tenant_id, before = audit.target_of(row), tenant_of(row), audit.fields_of(row)
    row.delete()
    audit.record(
        by=by,
        action=f"{row._meta.model_name}.deleted",
        target=target,
        tenant_id=tenant_id,
        before=before,
        reason=reason,
    )


def tenant_of(row: models.Model) -> int | None:
    """The tenant that a row belongs to, or None for what belongs to the platform."""
    if row._meta.model_name == "tenant":
        return int(row.pk)
    tenant_id: int | None = getattr(row, "tenant_id", None)
    return tenant_id


def _refresh(row: models.Model, stored: models.Model, *, but: Collection[str]) -> None:
    for field in row._meta.concrete_fields:
        if field.attname not in but:
            setattr(row, field.attname, getattr(stored, field.attname))


def _validate(row: models.Model, fields: Collection[str] | None) -> None:
    if fields is None:
        row.full_clean()
        return
    kept = {field.name for field in row._meta.concrete_fields if field.attname not in fields}
    row.full_clean(exclude=kept, validate_unique=False, validate_constraints=False)
    row.validate_unique()
    row.validate_constraints()


def _secrets_differ(stored: models.Model, row: models.Model) -> bool:
    names: frozenset[str] = getattr(row, "audit_secret_fields", frozenset())
    return any(getattr(stored, name) != getattr(row, name) for name in names)
