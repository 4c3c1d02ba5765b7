"""The chart of a report: a bar for each day, or week, or month, stacked of the dearest keys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from billing import money
from billing.admin.reports_links import Links
from billing.reports import OTHERS, Chart, Dimension, Sums

MOST_SERIES = 8
REST = MOST_SERIES
"""The colour of the others."""
MOST_DAYS, MOST_WEEKS = 92, 400
"""Longest spans, in days, that have a bar for each day, and for each week."""
LABELS = 16


@dataclass(frozen=True, slots=True)
class Measure:
    """What the heights of the bars are."""

    title: str
    of: Callable[[Sums], int]
    show: Callable[[int], str]


def _count(number: int) -> str:
    return f"{number:,}"


MEASURES = {
    "cost": Measure("Cost", lambda sums: sums.cost_nano, money.show),
    "requests": Measure("Requests", lambda sums: sums.requests, _count),
    "tokens": Measure("Tokens", lambda sums: sums.input_tokens + sums.output_tokens, _count),
}


@dataclass(frozen=True, slots=True)
class Piece:
    series: int
    height: str
    """Per cent of the chart's top."""


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    title: str
    url: str
    pieces: list[Piece]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Legend:
    series: int
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart as its template draws it."""

    title: str
    top: str
    half: str
    bars: list[Bar]
    legend: list[Legend]
    colours: dict[str, int]
    """Of the keys."""

    @property
    def is_empty(self) -> bool:
        return not any(bar.pieces for bar in self.bars)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Days that share a bar: places in the chart's list of days."""

    first: date
    last: date
    places: range


def draw(chart: Chart, measure: Measure, links: Links, *, today: date) -> Drawn:
    """The chart in one measure; each bar leads to its days, each key to itself."""
    buckets = _buckets(chart.days)
    heights = [[sum(measure.of(series.points[n]) for n in each.places) for series in chart.series] for each in buckets]
    top = max((sum(values) for values in heights), default=0)
    colours = {each.key: REST if each.key == OTHERS else n for n, each in enumerate(chart.series)}
    names = [each.label or each.key for each in chart.series]
    bars = [
        Bar(
            label=_label(bucket, n, len(buckets)),
            title=_title(bucket, values, names, measure),
            url=links.of_days(bucket.first, bucket.last),
            pieces=_pieces(values, list(colours.values()), top),
            is_last=bucket.first <= today <= bucket.last,
        )
        for n, (bucket, values) in enumerate(zip(buckets, heights, strict=True))
    ]
    title = f"{measure.title} by {_unit(chart.days)}"
    return Drawn(title, measure.show(top), measure.show(top // 2), bars, _legend(chart, links, colours), colours)


def _unit(days: list[date]) -> str:
    return "day" if len(days) <= MOST_DAYS else "week" if len(days) <= MOST_WEEKS else "month"


def _buckets(days: list[date]) -> list[_Bucket]:
    unit = _unit(days)
    starts = [n for n, day in enumerate(days) if n == 0 or unit == "day" or _begins(day, unit)]
    ends = [*starts[1:], len(days)]
    return [_Bucket(days[n], days[end - 1], range(n, end)) for n, end in zip(starts, ends, strict=True)]


def _begins(day: date, unit: str) -> bool:
    return day.weekday() == 0 if unit == "week" else day.day == 1


def _pieces(values: list[int], colours: list[int], top: int) -> list[Piece]:
    """The dearest key at the bottom: the page puts the first piece on top."""
    pieces = [Piece(colour, percent(value, top)) for value, colour in zip(values, colours, strict=True) if value > 0]
    return pieces[::-1]


def percent(part: int, whole: int) -> str:
    """With three places, and a point whatever the reader's language: it goes into a style."""
    thousandths = part * 100_000 // whole if whole > 0 else 0
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


def _label(bucket: _Bucket, number: int, count: int) -> str:
    """Not under every bar where there are many."""
    if number % -(-count // (31 if count <= 31 else LABELS)):
        return ""
    if bucket.first == bucket.last:
        return f"{bucket.first:%-d}" if count <= 31 else f"{bucket.first:%-d %b}"
    return f"{bucket.first:%-d %b}" if (bucket.last - bucket.first).days < 7 else f"{bucket.first:%b}"


def _title(bucket: _Bucket, values: list[int], names: list[str], measure: Measure) -> str:
    when = f"{bucket.first:%a %-d %b %Y}"
    if bucket.last != bucket.first:
        when = f"{bucket.first:%-d %b} to {bucket.last:%-d %b %Y}"
    parts = [f"{name} {measure.show(value)}" for name, value in zip(names, values, strict=True) if value > 0]
    detail = f" ({', '.join(parts)})" if len(parts) > 1 or (len(names) > 1 and parts) else ""
    return f"{when}: {measure.show(sum(values))}{detail}"


def _legend(chart: Chart, links: Links, colours: dict[str, int]) -> list[Legend]:
    if links.asked.by is Dimension.DAY:
        return []
    return [Legend(colours[each.key], each.label or each.key, links.of_line(each.key)) for each in chart.series]
