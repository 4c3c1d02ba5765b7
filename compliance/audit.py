"""Writes audit events, inside the transaction of the action that they are about: without its event, no action."""

import datetime
import ipaddress
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, models

from compliance.contracts import Actor, Target
from compliance.models import AuditEvent

Fields = Mapping[str, Any]


def record(
    *,
    by: Actor,
    action: str,
    target: Target,
    tenant_id: int | None,
    before: Fields | None = None,
    after: Fields | None = None,
    reason: str = "",
    outcome: str = "success",
) -> AuditEvent:
    """Adds one event. Call it in the action's own transaction; an error here undoes the action.

    Raises:
        RuntimeError: no transaction is open, so the event and its action could part.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"audit event {action!r} written outside a transaction")
    return AuditEvent.objects.create(
        tenant_id=tenant_id,
        actor_kind=by.kind,
        actor_id=by.id,
        action=action,
        target_kind=target.kind,
        target_id=target.id,
        outcome=outcome,
        reason=reason,
        before=dict(before or {}),
        after=dict(after or {}),
        request_id=by.request_id,
        ip=by.ip,
        user_agent=by.user_agent[:300],
    )


def target_of(row: models.Model) -> Target:
    """The target that a row is: its model's name and its primary key."""
    return Target(kind=str(row._meta.model_name), id=str(row.pk))


def fields_of(row: models.Model) -> dict[str, Any]:
    """A row's columns as JSON values, without those that its model lists in `audit_secret_fields`."""
    secret: frozenset[str] = getattr(row, "audit_secret_fields", frozenset())
    return {
        field.attname: _plain(getattr(row, field.attname))
        for field in row._meta.concrete_fields
        if field.attname not in secret
    }


def difference(before: Fields, after: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only the fields that differ, as they were and as they became."""
    changed = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in changed}, {name: after[name] for name in changed}


def _plain(value: Any) -> Any:
    match value:
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case Decimal() | UUID() | ipaddress.IPv4Network() | ipaddress.IPv6Network():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex()
        case list() | tuple() | set():
            return [_plain(item) for item in value]
        case _:
            return value
