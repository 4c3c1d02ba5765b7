"""Keeps rollups equal to the usage records that they add up.

All that writes records or rollups takes turns by one lock, so that a rebuild misses and doubles nothing.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files

from django.db import connection, transaction

from billing import partitions
from compliance import audit
from compliance.contracts import Actor, Target

TURN = 0x75736167  # "usag"; any number that nothing else locks

Progress = Callable[[date, int], None]
"""Told each day that is done, and how many records it had."""


def _part(name: str) -> str:
    return files("billing").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _with(added: str, *parts: str) -> str:
    return f"WITH added AS (\n{added}),\n" + ",\n".join(parts) + "\nSELECT count(*) FROM added"


def adding(added: str) -> str:
    """The statement that runs `added`, which returns usage records, and adds them to all rollups."""
    return _with(added, _part("count_usage"), _part("roll_up_requests"), _part("roll_up_values"))


_OF_UTC_DAY = "SELECT * FROM billing_usagerecord WHERE at >= %s AND at < %s"
_OF_OWN_DAY = """
SELECT record.* FROM billing_usagerecord AS record LEFT JOIN accounts_tenant AS tenant ON tenant.id = record.tenant_id
WHERE record.at >= %s AND record.at < %s AND (record.at AT TIME ZONE coalesce(tenant.time_zone, 'UTC'))::date = %s
"""
_REQUESTS = _with(_OF_UTC_DAY, _part("count_usage"), _part("roll_up_requests"))
_VALUES = _with(_OF_OWN_DAY, _part("count_usage"), _part("roll_up_values"))

_DAY = timedelta(days=1)
_EAST, _WEST = timedelta(hours=14), timedelta(hours=12)
"""How far from UTC days of the world begin and end."""


def take_turn() -> bool:
    """Whether this transaction is the only one that writes usage. Does not wait: who moves records tries again soon."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [TURN])
        return bool(cursor.fetchone()[0])


def await_turn() -> None:
    """Waits until this transaction is the only one that writes usage, which is a moment: each is short."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])


def rebuild(*, start: date, end: date, by: Actor, progress: Progress = lambda day, records: None) -> int:
    """Counts the records of those days anew, `end` exclusive; returns how many there were.

    Day by day, each in its own transaction, while records go on to be moved in between. Days whose month's records are
    dropped stay as they are.
    """
    counted, day = 0, start
    while day < end:
        records = _rebuild_day(day)
        progress(day, records)
        counted += records
        day += _DAY
    with transaction.atomic():
        audit.record(
            by=by,
            action="rollups.rebuilt",
            target=Target(kind="usage", id="rollups"),
            tenant_id=None,
            after={"start": start.isoformat(), "end": end.isoformat(), "records": counted},
        )
    return counted


@transaction.atomic
def _rebuild_day(day: date) -> int:
    await_turn()
    records = 0
    if partitions.are_whole({day}):
        records = _rebuild_requests(day)
    if partitions.are_whole({day - _DAY, day, day + _DAY}):
        _rebuild_values(day)
    return records


def _rebuild_requests(day: date) -> int:
    start = datetime.combine(day, time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_usagehour WHERE hour >= %s AND hour < %s", [start, start + _DAY])
        cursor.execute("DELETE FROM billing_usageday WHERE day = %s", [day])
        cursor.execute("DELETE FROM billing_usagelatency WHERE day = %s", [day])
        cursor.execute(_REQUESTS, [start, start + _DAY])
        return int(cursor.fetchone()[0])


def _rebuild_values(day: date) -> None:
    """Of the tenants' own day: a first of a month begins in the month before where clocks are ahead of UTC."""
    start = datetime.combine(day, time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_usagevalue WHERE day = %s", [day])
        cursor.execute(_VALUES, [start - _EAST, start + _DAY + _WEST, day])
