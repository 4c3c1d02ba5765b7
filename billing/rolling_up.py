"""How usage records become sums: the statements, and the turn that whoever runs one must have.

All that writes records or rollups takes turns by one lock, so that a rebuild misses and doubles nothing.
"""

from importlib.resources import files

from django.db import connection

TURN = 0x75736167  # "usag"; any number that nothing else locks


def adding(added: str) -> str:
    """The statement that runs `added`, which returns usage records, and adds them to all rollups. Yields how many."""
    return _with(added, "count_usage", "roll_up_requests", "roll_up_values")


def moving(added: str) -> str:
    """The same, which also counts the refusals among what was added for the audit log."""
    return _with(added, "count_usage", "roll_up_requests", "roll_up_values", "count_refusals")


def _with(added: str, *parts: str) -> str:
    texts = [files("billing").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8") for name in parts]
    return f"WITH added AS (\n{added}),\n" + ",\n".join(texts) + "\nSELECT count(*) FROM added"


# Of records that are there; the first are those of a day of UTC, the second those of a day wherever their tenant is.
REQUESTS_AGAIN = _with(
    "SELECT * FROM billing_usagerecord WHERE at >= %s AND at < %s", "count_usage", "roll_up_requests"
)
VALUES_AGAIN = _with(
    """SELECT record.* FROM billing_usagerecord AS record
    LEFT JOIN accounts_tenant AS tenant ON tenant.id = record.tenant_id
    WHERE record.at >= %s AND record.at < %s
        AND (record.at AT TIME ZONE coalesce(tenant.time_zone, 'UTC'))::date = %s""",
    "count_usage",
    "roll_up_values",
)


def take_turn() -> bool:
    """Whether this transaction is the only one that writes usage. Does not wait: who moves records tries again soon."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [TURN])
        return bool(cursor.fetchone()[0])


def await_turn() -> None:
    """Waits until this transaction is the only one that writes usage, which is a moment: each is short."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
