"""What becomes of the decisions of guards: partitions ahead of them; severed from a person, gone with a tenant."""

from datetime import timedelta

import structlog
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from compliance.contracts import Actor
from compliance.registry import Person
from gateway.models import GuardDecision

AHEAD = timedelta(days=2)
SLICE = 5_000

log = structlog.get_logger("gateway.guard_decisions")


def make_partitions() -> int:
    """Makes the partitions of this month and, near its end, of the next; returns how many were not there."""
    now = timezone.now()
    return sum(_make(day.isoformat()) for day in sorted({now.date(), (now + AHEAD).date()}))


def sever(*, person: Person, by: Actor) -> int:
    """Leaves what guards decided without whom it was about; that it was decided stays."""
    rows = GuardDecision.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate)
    return rows.update(surrogate="")


def delete_of_tenant(*, tenant_id: int, by: Actor) -> int:
    """Deletes a slice of a tenant's."""
    rows = GuardDecision.objects.filter(tenant_id=tenant_id)
    return int(rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:SLICE])).delete()[0])


def _make(day: str) -> bool:
    """Who writes or reads comes first: then the default partition takes what comes, and the next run tries again."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute("SELECT make_guard_decision_partition(%s)", [day])
            return bool(cursor.fetchone()[0])
    except OperationalError as error:
        log.warning("a partition is not made yet", day=day, error=type(error).__name__)
        return False
