"""Counts usage records anew, where rollups must be made of what is there: after a tenant's zone has changed, after an
upgrade from a version without rollups, or to be sure.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction

from billing import partitions, rolling_up
from compliance import audit
from compliance.contracts import Actor, Target

Progress = Callable[[date, int], None]
"""Told each day that is done, and how many records it had."""

_DAY = timedelta(days=1)
_EAST, _WEST = timedelta(hours=14), timedelta(hours=12)
"""How far from UTC days of the world begin and end."""


def rebuild(
    *,
    start: date,
    end: date,
    by: Actor,
    progress: Progress = lambda day, records: None,
    newest_first: bool = False,
) -> int:
    """Counts the records of those days anew, `end` exclusive; returns how many there were.

    Day by day, each in its own transaction; in between, records go on to be moved. What retention has dropped records
    of stays as it is: days of such a month, and end users, tags and codes of the days beside it.
    """
    days = [start + number * _DAY for number in range((end - start).days)]
    counted = 0
    for day in reversed(days) if newest_first else days:
        records = _rebuild_day(day)
        progress(day, records)
        counted += records
    _tell(start=start, end=end, counted=counted, by=by)
    return counted


@transaction.atomic
def _tell(*, start: date, end: date, counted: int, by: Actor) -> None:
    audit.record(
        by=by,
        action="rollups.rebuilt",
        target=Target(kind="usage", id="rollups"),
        tenant_id=None,
        after={"start": start.isoformat(), "end": end.isoformat(), "records": counted},
    )


@transaction.atomic
def _rebuild_day(day: date) -> int:
    rolling_up.await_turn()
    records = _rebuild_requests(day) if partitions.are_whole({day}) else 0
    # A tenant's first of a month begins in the month before where clocks are ahead of UTC.
    if partitions.are_whole({day - _DAY, day, day + _DAY}):
        _rebuild_values(day)
    return records


def _rebuild_requests(day: date) -> int:
    start = datetime.combine(day, time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_usagehour WHERE hour >= %s AND hour < %s", [start, start + _DAY])
        cursor.execute("DELETE FROM billing_usageday WHERE day = %s", [day])
        cursor.execute("DELETE FROM billing_usagelatency WHERE day = %s", [day])
        cursor.execute(rolling_up.REQUESTS_AGAIN, [start, start + _DAY])
        return int(cursor.fetchone()[0])


def _rebuild_values(day: date) -> None:
    start = datetime.combine(day, time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_usagevalue WHERE day = %s", [day])
        cursor.execute(rolling_up.VALUES_AGAIN, [start - _EAST, start + _DAY + _WEST, day])
