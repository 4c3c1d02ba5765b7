"""Answers queries: one statement each, two for a chart."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from psycopg import sql

from billing.models import AttributionTag
from billing.reports import labels
from billing.reports.checks import NUMBERS, check
from billing.reports.days import zone_of
from billing.reports.shapes import OTHERS, Chart, DayLine, Dimension, Line, Query, Report, Series, Sums
from billing.reports.sources import SUMS, Rows, rows_of

SLICE = timedelta(days=31)
"""How many days an export reads at once."""

_ADDED = sql.SQL(", ").join(
    sql.SQL("coalesce(sum({0}), 0)::bigint AS {0}").format(sql.Identifier(name)) for name in SUMS
)
_NAMES = sql.SQL(", ").join(map(sql.Identifier, SUMS))
# The first row is the total, and says how many keys there are. Keys first: that needs no sorting of all rows.
_REPORT = sql.SQL("""
WITH line AS MATERIALIZED (SELECT key, {sums} FROM ({rows}) AS part GROUP BY key)
SELECT NULL, count(*), {sums} FROM line
UNION ALL
(SELECT key, 1, {names} FROM line ORDER BY {order} LIMIT %s)
""")
_BY_DAY = sql.SQL("""
SELECT * FROM (SELECT day, key, {sums} FROM ({rows}) AS part GROUP BY day, key) AS line ORDER BY day, {order}
""")
_CHART = sql.SQL("""
SELECT day, CASE WHEN key::text = ANY (%s) THEN key::text ELSE {others} END AS line, {sums}
FROM ({rows}) AS part
GROUP BY day, line
""")
# A tenant's year is some 300,000 rows. With PostgreSQL's default of 4 MB they are sorted on disk, five times slower.
_ROOM = "SET LOCAL work_mem = '64MB'"
_DEAREST = sql.SQL("cost_nano DESC, requests DESC, key")
_IN_ORDER = sql.SQL("key")

# The tags that have lines, each found by one step through the primary key.
_TAGS = """
WITH RECURSIVE found AS (
    (SELECT tag FROM billing_usagevalue WHERE tenant_id = %(tenant)s AND kind = 'tag' ORDER BY tag LIMIT 1)
    UNION ALL
    SELECT (SELECT line.tag FROM billing_usagevalue AS line
            WHERE line.tenant_id = %(tenant)s AND line.kind = 'tag' AND line.tag > found.tag ORDER BY line.tag LIMIT 1)
    FROM found WHERE found.tag IS NOT NULL
)
SELECT tag FROM found WHERE tag IS NOT NULL
"""


def report(query: Query) -> Report:
    """The span's sums by the query's dimension.

    Raises:
        Unanswerable: see `check`.
    """
    check(query)
    zone = zone_of(query.tenant_id)
    is_by_day = query.by == Dimension.DAY
    most = (query.end - query.start).days if is_by_day else query.most
    (_, count, *sums), *rows = _fetch(
        _REPORT, rows_of(query, zone, by_day=is_by_day), [most], order=_IN_ORDER if is_by_day else _DEAREST
    )
    names = labels.of([_text(row[0], query) for row in rows], query)
    shown = [_line(row[0], row[2:], query, names) for row in rows]
    return Report(query=query, zone=zone.key, lines=shown, others=_others(sums, shown, count), total=_sums(sums))


def chart(query: Query) -> Chart:
    """Per day the sums of the dearest keys; by DAY, one series of everything.

    Raises:
        Unanswerable: see `check`.
    """
    if query.by == Dimension.DAY:
        return _chart_of_everything(report(query))
    dearest = [(line.key, line.label) for line in report(query).lines]
    zone = zone_of(query.tenant_id)
    keys = [_stored(key, query) for key, _ in dearest]
    points = _fetch(_CHART, rows_of(query, zone, by_day=True), before=[keys])
    sums = {(day, _text(key, query)): _sums(row) for day, key, *row in points}
    if any(key == OTHERS for _, key in sums) and OTHERS not in dict(dearest):
        dearest.append((OTHERS, "others"))
    days = _days(query)
    return Chart(
        days=days,
        series=[
            Series(key=key, label=label, points=[sums.get((day, key), Sums()) for day in days])
            for key, label in dearest
        ],
    )


def lines(query: Query) -> Iterator[DayLine]:
    """A line for each day and key, days in order, for exports: all of them, whatever `query.most` is. Some days are
    read at a time, so memory and transactions stay small.

    Raises:
        Unanswerable: see `check`; before the first line.
    """
    check(query)
    return _day_lines(query, zone_of(query.tenant_id))


def keys(query: Query) -> list[tuple[str, str]]:
    """Key and label of what `by` has in that span, dearest first, at most `query.most`: choices for a filter."""
    return [(line.key, line.label) for line in report(query).lines]


def tags(tenant_id: int) -> list[str]:
    """The tags that the tenant has declared or has usage of, for `Query.tag`."""
    declared = AttributionTag.objects.filter(tenant_id=tenant_id).values_list("key", flat=True)
    with connection.cursor() as cursor:
        cursor.execute(_TAGS, {"tenant": tenant_id})
        return sorted({*declared, *(tag for (tag,) in cursor.fetchall())})


def _day_lines(query: Query, zone: ZoneInfo) -> Iterator[DayLine]:
    start = query.start
    while start < query.end:
        part = replace(query, start=start, end=min(start + SLICE, query.end))
        rows = _fetch(_BY_DAY, rows_of(part, zone, by_day=True), order=_DEAREST)
        names = labels.of({_text(row[1], query) for row in rows}, query)
        for day, key, *sums in rows:
            line = _line(key, sums, query, names)
            yield DayLine(day=day, **{column.name: getattr(line, column.name) for column in fields(Line)})
        start = part.end


def _fetch(
    statement: sql.SQL, rows: Rows, after: list[Any] | None = None, *, before: list[Any] | None = None, **parts: Any
) -> list[tuple[Any, ...]]:
    composed = statement.format(sums=_ADDED, names=_NAMES, rows=rows.statement, others=sql.Literal(OTHERS), **parts)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ROOM)
        cursor.execute(composed, [*(before or []), *rows.values, *(after or [])])
        return list(cursor.fetchall())


def _text(key: Any, query: Query) -> str:
    """A key as lines have it: 0 stands for none."""
    if query.by in NUMBERS and key in (0, "0"):
        return ""
    return key.isoformat() if isinstance(key, date) else str(key)


def _stored(key: str, query: Query) -> str:
    return "0" if query.by in NUMBERS and not key else key


def _line(key: Any, sums: Any, query: Query, names: dict[str, str]) -> Line:
    text = _text(key, query)
    return Line(key=text, label=names[text], **dict(zip(SUMS, sums, strict=True)))


def _sums(values: Any) -> Sums:
    return Sums(**dict(zip(SUMS, values, strict=True)))


def _others(total: list[int], shown: list[Line], count: int) -> Line | None:
    """What is left of the total, as far as it is of keys that are not shown."""
    if count <= len(shown):
        return None
    left = [whole - sum(getattr(line, name) for line in shown) for name, whole in zip(SUMS, total, strict=True)]
    return Line(key=OTHERS, label=f"{count - len(shown):,} others", **dict(zip(SUMS, left, strict=True)))


def _days(query: Query) -> list[date]:
    return [query.start + timedelta(days=n) for n in range((query.end - query.start).days)]


def _chart_of_everything(answer: Report) -> Chart:
    by_day: dict[str, Sums] = {line.key: line for line in answer.lines}
    days = _days(answer.query)
    points = [by_day.get(day.isoformat(), Sums()) for day in days]
    return Chart(days=days, series=[Series(key="", label="all", points=points)])
