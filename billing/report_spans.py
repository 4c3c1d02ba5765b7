"""The spans of days that reports are asked for by name."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

_DAY = timedelta(days=1)


class SpanName(StrEnum):
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    LAST_7_DAYS = "7d"
    LAST_30_DAYS = "30d"
    LAST_90_DAYS = "90d"
    CUSTOM = "custom"


TITLES = {
    SpanName.THIS_MONTH: "This month",
    SpanName.LAST_MONTH: "Last month",
    SpanName.LAST_7_DAYS: "Last 7 days",
    SpanName.LAST_30_DAYS: "Last 30 days",
    SpanName.LAST_90_DAYS: "Last 90 days",
    SpanName.CUSTOM: "From – to",
}
_DAYS = {SpanName.LAST_7_DAYS: 7, SpanName.LAST_30_DAYS: 30, SpanName.LAST_90_DAYS: 90}


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `start` until before `end`."""

    name: SpanName
    start: date
    end: date

    @property
    def last(self) -> date:
        return self.end - _DAY

    @property
    def words(self) -> str:
        """For people: `1 to 21 November 2026`."""
        if self.start == self.last:
            return f"{self.start:%-d %B %Y}"
        same_year, same_month = self.start.year == self.last.year, self.start.month == self.last.month
        first = "%-d" if same_year and same_month else "%-d %B" if same_year else "%-d %B %Y"
        return f"{self.start:{first}} to {self.last:%-d %B %Y}"


def named(name: SpanName, *, today: date) -> Span:
    """A span by its name, `today` included; not for CUSTOM, whose days are its own."""
    month = today.replace(day=1)
    if name is SpanName.LAST_MONTH:
        return Span(name, (month - _DAY).replace(day=1), month)
    if name is SpanName.THIS_MONTH:
        return Span(name, month, today + _DAY)
    return Span(name, today - (_DAYS[name] - 1) * _DAY, today + _DAY)


def custom(first: date, last: date) -> Span:
    """The days from `first` to `last`, both included."""
    return Span(SpanName.CUSTOM, first, last + _DAY)
