"""Audit logs with events, sealed, and what somebody does to them who can do everything to the database."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, transaction

from accounts.models import Tenant
from compliance import audit
from compliance.actions import audit_log
from compliance.contracts import Target
from compliance.models import AuditLog
from tests.factories import THE_SYSTEM

TABLES = ("auditevent", "auditpending", "auditlog", "auditleaf", "audittile", "auditcheckpoint")


def events(count: int, *, tenant: Tenant | None = None, action: str = "tier.changed") -> list[int]:
    """Writes events of a tenant, or of the platform; returns their numbers."""
    with transaction.atomic():
        return [
            audit.record(
                by=THE_SYSTEM,
                action=action,
                target=Target("tier", str(n)),
                tenant_id=tenant.pk if tenant else None,
                before={"name": f"was {n}"},
                after={"name": f"is {n}", "count": n},
                reason="a reason",
            ).pk
            for n in range(count)
        ]


def sealed(count: int = 0, *, tenant: Tenant | None = None) -> AuditLog:
    """Writes so many events, has everything that waits take its place, and delivers the checkpoints."""
    events(count, tenant=tenant)
    audit_log.checkpoint(by=THE_SYSTEM)
    audit_log.deliver()
    return AuditLog.objects.get(tenant_id=tenant.pk if tenant else None)


def tamper(statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> int:
    """Runs a statement as the tables' owner, with every trigger disabled; returns how many rows it changed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in TABLES:
            cursor.execute(f"ALTER TABLE compliance_{name} DISABLE TRIGGER ALL")
        cursor.execute(statement, values)
        changed = int(cursor.rowcount)
        for name in TABLES:
            cursor.execute(f"ALTER TABLE compliance_{name} ENABLE TRIGGER ALL")
            cursor.execute(f"ALTER TABLE compliance_{name} ENABLE ALWAYS TRIGGER audit_no_change")
            cursor.execute(f"ALTER TABLE compliance_{name} ENABLE ALWAYS TRIGGER audit_no_truncate")
        cursor.execute("ALTER TABLE compliance_auditevent ENABLE ALWAYS TRIGGER audit_awaits_place")
        return changed


def trying(statement: str, values: Sequence[Any] | dict[str, Any], then: Callable[[], Any]) -> Any:
    """What `then` returns while the statement's work is there; afterwards it is undone."""
    with transaction.atomic():
        assert tamper(statement, values) >= 1, statement
        result = then()
        transaction.set_rollback(True)
    return result
