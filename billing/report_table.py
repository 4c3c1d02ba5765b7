"""Reports as tables for files: the lines of a page, or a line for each day and key."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from billing import reports
from billing.exports.table import Cell, Column, Kind, Row, Table
from billing.report_params import NONE, Asked
from billing.reports import DayLine, Dimension, Line, Query, Report, Sums

TITLES = {
    Dimension.TENANT: "Tenant",
    Dimension.APPLICATION: "Application",
    Dimension.ENVIRONMENT: "Environment",
    Dimension.API_KEY: "API key",
    Dimension.END_USER: "End user",
    Dimension.MODEL: "Model",
    Dimension.PROVIDER: "Provider",
    Dimension.TAG: "Tag",
    Dimension.DAY: "Day",
}
NUMBERED = (Dimension.TENANT, Dimension.APPLICATION, Dimension.API_KEY)
"""Whose keys are numbers, which a file names beside what people call them."""
PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of every report, and how its cell is found, given the sums of the line and of the whole."""

    column: Column
    of: Callable[[Sums, Sums], Cell]


def _sum(name: str, title: str, kind: Kind, *, field: str = "") -> Figure:
    """One of the fields of Sums, `name` unless it is called otherwise there."""
    return Figure(Column(name, title, kind), lambda line, total: getattr(line, field or name))


FIGURES = (
    _sum("requests", "Requests", Kind.COUNT),
    _sum("refused", "Refused", Kind.COUNT),
    _sum("failed", "Failed", Kind.COUNT),
    _sum("input_tokens", "Tokens in", Kind.COUNT),
    _sum("cached_input_tokens", "Of them cached", Kind.COUNT),
    _sum("cache_write_tokens", "Of them written to cache", Kind.COUNT),
    _sum("output_tokens", "Tokens out", Kind.COUNT),
    _sum("reasoning_tokens", "Of them reasoning", Kind.COUNT),
    _sum("cost_usd", "Cost (USD)", Kind.DOLLARS, field="cost_nano"),
    _sum("cost_nano", "Cost (nano-dollars)", Kind.NANO),
    _sum("estimated_usd", "Of it estimated (USD)", Kind.DOLLARS, field="estimated_nano"),
    _sum("estimated_nano", "Of it estimated (nano-dollars)", Kind.NANO),
)
COST_SHARE = Figure(
    Column("cost_share", "Share of cost", Kind.SHARE), lambda line, total: share(line.cost_nano, total.cost_nano)
)
ESTIMATED_SHARE = Figure(
    Column("estimated_share", "Share estimated", Kind.SHARE),
    lambda line, total: share(line.estimated_nano, line.cost_nano),
)
WITH_SHARES = (*FIGURES, COST_SHARE, ESTIMATED_SHARE)


def share(part: int, whole: int) -> Decimal:
    """A part of a whole, from 0 to 1; nothing of nothing is 0."""
    return (Decimal(part) / whole).quantize(PLACES) if whole else Decimal(0).quantize(PLACES)


def of_report(asked: Asked, found: Report) -> Table:
    """Exactly what the page shows: its lines, what they leave out, and the total."""
    head = (Column("row", "Row", Kind.TEXT), *_key_columns(asked))
    total = (("total", *_total_cells(asked)), found.total)
    lines = [(("line", *_key_cells(asked, line)), line) for line in found.lines]
    others = [(("others", *_key_cells(asked, found.others)), found.others)] if found.others else []
    rows = [(*keys, *(each.of(sums, found.total) for each in WITH_SHARES)) for keys, sums in (*lines, *others, total)]
    return _table(asked, head, WITH_SHARES, lambda: rows, zone=found.zone)


def of_days(asked: Asked) -> Table:
    """A line for each day and key, all of them, read while they are written."""
    head = (Column("day", "Day", Kind.TEXT), *(() if asked.by is Dimension.DAY else _key_columns(asked)))
    nothing = Sums()

    def rows() -> Iterator[Row]:
        for line in _day_by_day(asked.query):
            keys = () if asked.by is Dimension.DAY else _key_cells(asked, line)
            yield (line.day.isoformat(), *keys, *(each.of(line, nothing) for each in FIGURES))

    zone = str(reports.zone_of(asked.tenant.pk if asked.tenant else None))
    return _table(asked, head, FIGURES, rows, zone=zone)


def _day_by_day(query: Query) -> Iterator[DayLine]:
    """The lines of one day in memory at a time. In between the connection is others': whoever reads may read slowly."""
    for number in range((query.end - query.start).days):
        day = query.start + timedelta(days=number)
        found = list(reports.lines(replace(query, start=day, end=day + timedelta(days=1))))
        if not connection.in_atomic_block:
            connection.close()  # back into the pool
        yield from found


def _table(
    asked: Asked, head: tuple[Column, ...], figures: tuple[Figure, ...], rows: Callable[[], Iterable[Row]], *, zone: str
) -> Table:
    whose = asked.tenant.slug if asked.tenant else "all-tenants"
    return Table(
        name=f"usage-{whose}-by-{asked.by.replace('_', '-')}-{asked.span.start}-to-{asked.span.last}",
        columns=(*head, *(each.column for each in figures)),
        rows=rows,
        about=about(asked, zone=zone),
    )


def about(asked: Asked, *, zone: str) -> tuple[tuple[str, str], ...]:
    """What a reader must know who finds the file in a year."""
    filters = "; ".join(f"{title_of(asked, by)}: {key or NONE}" for by, key in asked.filters.items())
    return (
        ("Report", f"Usage by {title_of(asked, asked.by)}"),
        ("Span", f"{asked.span.start} to {asked.span.last}, both included"),
        ("Time zone of days", zone),
        ("Tenant", f"{asked.tenant.name} ({asked.tenant.slug})" if asked.tenant else "All tenants"),
        ("Filters", filters or "None"),
        ("Generated at", f"{timezone.now():%Y-%m-%d %H:%M:%S} UTC"),
        ("Estimated", "The part of the cost whose tokens were counted here, as the provider reported none."),
    )


def title_of(asked: Asked, by: Dimension) -> str:
    """What a dimension is called; a tag with its name."""
    return f"Tag {asked.tag}" if by is Dimension.TAG else TITLES[by]


def _key_columns(asked: Asked) -> tuple[Column, ...]:
    name, title = str(asked.by), title_of(asked, asked.by)
    number = (Column(f"{name}_id", f"{title}, number", Kind.TEXT),) if asked.by in NUMBERED else ()
    return (Column(name, title, Kind.TEXT), *number)


def _key_cells(asked: Asked, line: Line) -> tuple[Cell, ...]:
    return (line.label, line.key) if asked.by in NUMBERED else (line.label or line.key or NONE,)


def _total_cells(asked: Asked) -> tuple[Cell, ...]:
    return ("Total", "") if asked.by in NUMBERED else ("Total",)
