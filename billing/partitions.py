"""Monthly partitions of the usage table."""

from datetime import UTC, date, datetime

from django.db import connection
from psycopg import sql

from billing.models import DroppedMonth

TABLE = "billing_usagerecord"
PATIENCE = "2s"
"""How long a partition that is to go waits for those who read the table; who comes after them waits behind it."""
_DETACHED = "_detached"


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


def back(day: date, months: int) -> date:
    """The first day of the month that lies `months` before `day`'s."""
    count = day.year * 12 + day.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)


def before(first: date) -> list[date]:
    """The months that have a partition and lie before `first`, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [TABLE])
        months = [datetime.strptime(name[-7:], "%Y_%m").date() for (name,) in cursor.fetchall()]
    return sorted(month for month in months if month < first)


def detach(month: date) -> str:
    """Takes a partition out of the table, under a name that leaves room for a new one; returns that name.

    Raises:
        django.db.OperationalError: the table is in use for longer than PATIENCE.
    """
    name, apart = partition_name(month), f"{partition_name(month)}{_DETACHED}"
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
        cursor.execute(
            sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(sql.Identifier(TABLE), sql.Identifier(name))
        )
        cursor.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(apart)))
    return apart


def detached() -> list[str]:
    """What is detached and not dropped yet."""
    with connection.cursor() as cursor:
        pattern = rf"^{TABLE}_\d{{4}}_\d{{2}}{_DETACHED}$"
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ %s ORDER BY relname", [pattern])
        return [name for (name,) in cursor.fetchall()]


def drop(name: str) -> None:
    """Drops a partition that is detached."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


def partition_name(first: date) -> str:
    return f"{TABLE}_{first:%Y_%m}"


def _create(name: str, first: date) -> sql.Composed:
    bounds = [datetime(day.year, day.month, 1, tzinfo=UTC).isoformat() for day in (first, following(first))]
    # Two processes may try at once: IF NOT EXISTS lets the second one find it made.
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
        sql.Identifier(name), sql.Identifier(TABLE), sql.Literal(bounds[0]), sql.Literal(bounds[1])
    )
