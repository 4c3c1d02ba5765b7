"""Where the sums of a query are read: which rollup, which of its rows.

Days of UTC have rows of their own. A tenant's days elsewhere are made of hours; a report that does not tell days apart
takes the whole days of UTC inside of its span, and hours for the two ends only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql

from billing.reports.checks import NUMBERS, values_of
from billing.reports.days import beginning, whole_days
from billing.reports.shapes import Dimension, Query, Sums

SUMS = tuple(column.name for column in fields(Sums))

_COLUMNS = {
    Dimension.TENANT: "tenant_id",
    Dimension.APPLICATION: "application_id",
    Dimension.ENVIRONMENT: "environment",
    Dimension.API_KEY: "api_key_id",
    Dimension.END_USER: "value",
    Dimension.MODEL: "model",
    Dimension.PROVIDER: "provider",
    Dimension.TAG: "value",
}
_DAY, _HOUR_DAY = sql.SQL("day"), sql.SQL("(hour AT TIME ZONE {})::date")
_SELECT = sql.SQL("SELECT {key} AS key, {day} AS day, {sums} FROM {table} WHERE {conditions}")


@dataclass(frozen=True, slots=True)
class Rows:
    """A statement that yields `key`, `day` and sums, several rows for each, and its values."""

    statement: sql.Composable
    values: list[Any]


def rows_of(query: Query, zone: ZoneInfo, *, by_day: bool) -> Rows:
    """What adds up to the answer. `day` is meaningless unless `by_day`: then days are those of `zone`."""
    if values_of(query):
        return _values(query)
    if zone.key == "UTC":
        return _days(query, query.start, query.end)
    start, end = beginning(query.start, zone), beginning(query.end, zone)
    if by_day:
        return _hours(query, start, end, zone)
    first, last = whole_days(start, end)
    if first == last:
        return _hours(query, start, end, zone)
    return _all(
        _hours(query, start, _midnight(first), zone),
        _days(query, first, last),
        _hours(query, _midnight(last), end, zone),
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days(query: Query, start: date, end: date) -> Rows:
    return _rows(query, "billing_usageday", _DAY, [("day >= %s", start), ("day < %s", end), *_tenant(query)])


def _hours(query: Query, start: datetime, end: datetime, zone: ZoneInfo) -> Rows:
    day = _HOUR_DAY.format(sql.Literal(zone.key))
    return _rows(query, "billing_usagehour", day, [("hour >= %s", start), ("hour < %s", end), *_tenant(query)])


def _values(query: Query) -> Rows:
    kind = str(next(iter(values_of(query))))
    conditions = [("kind = %s", kind), ("tag = %s", query.tag if kind == Dimension.TAG else "")]
    span = [("day >= %s", query.start), ("day < %s", query.end)]
    return _rows(query, "billing_usagevalue", _DAY, [*_tenant(query), *conditions, *span])


def _tenant(query: Query) -> list[tuple[str, Any]]:
    return [] if query.tenant_id is None else [("tenant_id = %s", query.tenant_id)]


def _rows(query: Query, table: str, day: sql.Composable, conditions: Sequence[tuple[str, Any]]) -> Rows:
    every = [*conditions, *_filters(query)]
    statement = _SELECT.format(
        key=_key(query.by, day),
        day=day,
        sums=sql.SQL(", ").join(map(sql.Identifier, SUMS)),
        table=sql.Identifier(table),
        conditions=sql.SQL(" AND ").join(sql.SQL(condition) for condition, _ in every),
    )
    return Rows(statement, [value for _, value in every])


def _filters(query: Query) -> list[tuple[str, Any]]:
    return [
        (f"{_COLUMNS[dimension]} = %s", int(key or 0) if dimension in NUMBERS else key)
        for dimension, key in query.filters.items()
    ]


def _key(by: Dimension, day: sql.Composable) -> sql.Composable:
    return day if by == Dimension.DAY else sql.Identifier(_COLUMNS[by])


def _all(*parts: Rows) -> Rows:
    statement = sql.SQL(" UNION ALL ").join(part.statement for part in parts)
    return Rows(statement, [value for part in parts for value in part.values])
