"""Monthly partitions of the usage table."""

from datetime import UTC, date, datetime

from django.db import connection
from psycopg import sql

from billing.models import DroppedMonth

TABLE = "billing_usagerecord"


def ensure(months: set[date]) -> list[str]:
    """Makes the partitions of those months (any day of each) that are missing; returns the names it made."""
    made = []
    with connection.cursor() as cursor:
        for first in sorted({month.replace(day=1) for month in months}):
            name = partition_name(first)
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone()[0]:
                cursor.execute(_create(name, first))
                made.append(name)
    return made


def are_whole(days: set[date]) -> bool:
    """Whether the records of those days' months are all there: retention has dropped none of them."""
    return not DroppedMonth.objects.filter(month__in={day.replace(day=1) for day in days}).exists()


def ahead(*, today: date, count: int) -> set[date]:
    """The month of `today` and the `count` after it."""
    months = {today.replace(day=1)}
    for _ in range(count):
        months.add(following(max(months)))
    return months


def following(first: date) -> date:
    """The first day of the month after `first`'s."""
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def partition_name(first: date) -> str:
    return f"{TABLE}_{first:%Y_%m}"


def _create(name: str, first: date) -> sql.Composed:
    bounds = [datetime(day.year, day.month, 1, tzinfo=UTC).isoformat() for day in (first, following(first))]
    # Two processes may try at once: IF NOT EXISTS lets the second one find it made.
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
        sql.Identifier(name), sql.Identifier(TABLE), sql.Literal(bounds[0]), sql.Literal(bounds[1])
    )
