"""What the ledger says of a request or a tenant, read from its database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connections

from accounts.models import Tenant
from billing.models import Budget
from config.asgi import libpq_params
from tests.system.processes import eventually


def usage_of(request_id: str) -> dict[str, Any]:
    """The usage record of a request, as soon as there is one."""
    statement = "SELECT record::text FROM usage_outbox WHERE record ->> 'request_id' = %s"
    records = eventually(lambda: _query(statement, request_id))
    assert len(records) == 1, "a request is recorded once"
    return dict(json.loads(records[0][0]))


def usages_of(tenant: Tenant) -> list[dict[str, Any]]:
    """The usage records of a tenant so far, in the order in which they were written."""
    statement = "SELECT record::text FROM usage_outbox WHERE (record ->> 'tenant_id')::bigint = %s ORDER BY seq"
    return [json.loads(record) for (record,) in _query(statement, tenant.pk)]


def only_usage_of(tenant: Tenant) -> dict[str, Any]:
    """The one usage record of a tenant, as soon as it is there."""
    (record,) = eventually(lambda: usages_of(tenant))
    return record


def holds_of(tenant: Tenant) -> int:
    """How many requests of a tenant are admitted and not settled."""
    return int(_query("SELECT count(*) FROM hold WHERE tenant_id = %s", tenant.pk)[0][0])


def held_output_of(tenant: Tenant) -> int:
    """For how many output tokens the holds of a tenant are."""
    statement = "SELECT coalesce(sum((context ->> 'output_tokens')::bigint), 0) FROM hold WHERE tenant_id = %s"
    return int(_query(statement, tenant.pk)[0][0])


def held_by(tenant: Tenant) -> int:
    """What the meters of a tenant hold: nano-dollars and requests at once, added up."""
    return int(_query("SELECT coalesce(sum(held), 0) FROM meter WHERE tenant_id = %s", tenant.pk)[0][0])


def used_of(tenant: Tenant, meter: str) -> int:
    return int(_query("SELECT used FROM meter WHERE tenant_id = %s AND name = %s", tenant.pk, meter)[0][0])


def used_of_each(budget: Budget) -> dict[str, int]:
    """What the meters of a budget have used, by name: one, or with `each` one for each value."""
    statement = "SELECT name, used FROM meter WHERE tenant_id = %s AND split_part(name, '#', 1) = %s"
    return dict(_query(statement, budget.tenant_id, budget.meter_name))


def expire_holds_of(tenant: Tenant) -> None:
    """Lets the leases of a tenant's holds run out, and sweeps, also what other tests have left behind before."""
    _query("UPDATE hold SET expires_at = now() - interval '1 second' WHERE tenant_id = %s RETURNING 1", tenant.pk)
    while _query("SELECT sweep(1000)") != [(0,)]:
        pass


@contextmanager
def locked_meters_of(tenant: Tenant) -> Iterator[None]:
    """While inside, whatever changes meters of the tenant waits."""
    with psycopg.connect(**libpq_params("ledger")) as connection:
        locked = connection.execute("SELECT id FROM meter WHERE tenant_id = %s FOR UPDATE", [tenant.pk])
        assert locked.rowcount > 0, "there are meters once the tenant has been served"
        yield


def wait_for_blocked(function: str, *, count: int = 1) -> None:
    """Returns as soon as `count` calls of a function wait for a lock."""
    eventually(lambda: calls(function, waiting=True) == count)


def calls(function: str, *, waiting: bool = False) -> int:
    """How many calls of a function the server is busy with; or only those that wait for a lock."""
    statement = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
            AND strpos(query, %s) > 0 AND (wait_event_type = 'Lock' OR NOT %s)
    """
    return int(_query(statement, f" {function}(", waiting)[0][0])


def _query(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections["ledger"].cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
