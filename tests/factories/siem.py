"""Streams of the audit log, and events that have their places."""

from typing import Any

from django.db import connection, transaction

from accounts.models import Tenant
from compliance import audit
from compliance.actions import siem_streams
from compliance.contracts import Actor, Target
from compliance.models import AuditEvent, AuditLeaf, AuditLog, SiemStream
from tests.factories import THE_SYSTEM

_names = iter(range(1, 10_000))


def a_stream(port: int = 6514, *, secrets: dict[str, str] | None = None, **fields: Any) -> SiemStream:
    """One to that port of this machine, over TCP unless `fields` say otherwise."""
    values: dict[str, Any] = {
        "name": f"SIEM {next(_names)}",
        "transport": SiemStream.Transport.TCP,
        "host": "127.0.0.1",
        "port": port,
    }
    return siem_streams.add(stream=SiemStream(**{**values, **fields}), by=THE_SYSTEM, **(secrets or {}))


def events(tenant: Tenant, count: int, *, by: Actor = THE_SYSTEM, **fields: Any) -> list[AuditEvent]:
    """Events of a tenant without places; a hundred in a transaction, as none may stay open for long."""
    happened: list[AuditEvent] = []
    while len(happened) < count:
        with transaction.atomic():
            happened += [
                audit.record(
                    by=by,
                    action="thing.happened",
                    target=Target("thing", str(number)),
                    tenant_id=tenant.pk,
                    **fields,
                )
                for number in range(len(happened), min(len(happened) + 100, count))
            ]
    return happened


@transaction.atomic
def place(*happened: AuditEvent) -> AuditLog:
    """Gives events of one tenant the next places in its log, in an order of choice and without a checkpoint: only where
    all is rolled back. Elsewhere `audit_log.checkpoint` does so."""
    tenant_id = happened[0].tenant_id
    log, _ = AuditLog.objects.get_or_create(
        tenant_id=tenant_id, defaults={"origin": f"portcullis/test/{'tenant/' if tenant_id else ''}{tenant_id}"}
    )
    log = AuditLog.objects.select_for_update().get(pk=log.pk)
    AuditLeaf.objects.bulk_create(
        AuditLeaf(event_id=each.pk, log=log, index=log.size + at) for at, each in enumerate(happened)
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('portcullis.audit', 'sequence', true)")
        log.size += len(happened)
        log.save(update_fields=["size"])
        cursor.execute("SELECT set_config('portcullis.audit', '', true)")
    return log
