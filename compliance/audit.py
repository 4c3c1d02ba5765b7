"""Writes audit events, inside the transaction of the action that they are about: without its event, no action."""

import datetime
import ipaddress
import json
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, models

from compliance.contracts import Actor, Target
from compliance.evidence import leaves
from compliance.models import AuditEvent

Fields = Mapping[str, Any]

_IP = AuditEvent._meta.get_field("ip")
_INSERT = """
    INSERT INTO compliance_auditevent (tenant_id, actor_kind, actor_id, action, target_kind, target_id, outcome, reason,
        before, after, request_id, ip, user_agent, version, salts, redacted, subjects)
    VALUES (%(tenant_id)s, %(actor_kind)s, %(actor_id)s, %(action)s, %(target_kind)s, %(target_id)s, %(outcome)s,
        %(reason)s, %(before)s, %(after)s, %(request_id)s, %(ip)s, %(user_agent)s, 2, %(salts)s, '{}',
        %(subjects)s::varchar[])
    RETURNING id, occurred_at, version
"""


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

    Floats are written as texts, which everybody hashes alike; each field gets a salt of its own (`evidence/leaves.py`).

    Raises:
        RuntimeError: no transaction is open, so the event and its action could part.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"audit event {action!r} written outside a transaction")
    columns: dict[str, Any] = {
        "tenant_id": tenant_id or None,  # 0 has the keys of backups' canaries: nobody's, so the platform's
        "actor_kind": by.kind,
        "actor_id": by.id,
        "action": action,
        "target_kind": target.kind,
        "target_id": target.id,
        "outcome": outcome,
        "reason": reason,
        "before": {name: leaves.without_floats(value) for name, value in (before or {}).items()},
        "after": {name: leaves.without_floats(value) for name, value in (after or {}).items()},
        "request_id": by.request_id,
        "ip": _IP.get_prep_value(by.ip),
        "user_agent": by.user_agent[:300],
    }
    named = (target.id, reason, *columns["before"].values(), *columns["after"].values())
    columns["salts"] = os.urandom(leaves.SALT_BYTES * leaves.count_of(columns))
    columns["subjects"] = leaves.subjects_in(named)
    return _inserted(columns)


def _inserted(columns: dict[str, Any]) -> AuditEvent:
    """The event as it was written. By hand: the ORM takes twice as long for it, and each action waits for its event."""
    sent = {**columns, "before": json.dumps(columns["before"]), "after": json.dumps(columns["after"])}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, sent)
        pk, occurred_at, version = cursor.fetchone()
    event = AuditEvent(id=pk, occurred_at=occurred_at, version=version, **columns)
    event._state.adding, event._state.db = False, connection.alias
    return event


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
