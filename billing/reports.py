"""Reports of usage: what a span of days adds up to, by one dimension.

Everything is read from rollups, never from usage records, so that reports answer at once over millions of requests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

OTHERS = "(others)"
"""The key of what was not counted apart: a tenant's values beyond the bound of a day."""


class Dimension(StrEnum):
    """What usage may be divided by."""

    TENANT = "tenant"
    APPLICATION = "application"
    ENVIRONMENT = "environment"
    API_KEY = "api_key"
    END_USER = "end_user"
    MODEL = "model"
    PROVIDER = "provider"
    TAG = "tag"
    DAY = "day"


class Unanswerable(ValueError):
    """A query that rollups cannot answer; the message says to a person what to leave out or to add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for.

    Days are the tenant's own where a tenant is chosen, and UTC days otherwise; by end user and by tag always the
    tenant's own, as they are counted by them. `end` is exclusive. `tag` names the tag that `by` or `filters` speak of.
    Filters are dimension → key, as in `Line.key`; TENANT and DAY are not among them, those are fields. End users and
    tags are kept by day and application only, so of them APPLICATION and the dimension's own value may be filtered, and
    they combine with no other (see `check`).
    """

    start: date
    end: date
    tenant_id: int | None = None
    by: Dimension = Dimension.DAY
    tag: str = ""
    filters: Mapping[Dimension, str] = field(default_factory=dict)
    most: int = 100
    """Lines of a report, and of a chart; DAY has all of its days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What requests add up to. `requests` includes those refused and failed; `estimated_nano` is the part of
    `cost_nano` whose tokens were counted here. Input tokens include the cached and cache-written ones as the record
    has them."""

    requests: int = 0
    refused: int = 0
    failed: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano: int = 0
    estimated_nano: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Sums):
    """The sums of one key: a primary key as text, a name, a day in ISO form; empty where requests had none.

    `label` is for people: the name of the tenant, application or key, or the key itself.
    """

    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine(Line):
    """One key on one day."""

    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`lines` dearest first (of equal cost the busiest; days in order), at most `query.most` of them. `others` is what
    the lines leave out, None if nothing; its label says how many keys it holds. `total` is all of it."""

    query: Query
    zone: str
    lines: list[Line]
    others: Line | None
    total: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One key of a chart, with sums for every day of the span, those without usage too."""

    key: str
    label: str
    points: list[Sums]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`series` dearest first, then one with the key OTHERS where there are more than `query.most`."""

    days: list[date]
    series: list[Series]


def zone_of(tenant_id: int | None) -> ZoneInfo:
    """The zone whose days a report of that tenant has; of all tenants (None), UTC."""
    raise NotImplementedError


def check(query: Query) -> None:
    """Refuses what cannot be answered, without reading anything.

    Raises:
        Unanswerable: and what to change.
    """
    raise NotImplementedError


def report(query: Query) -> Report:
    """The span's sums by the query's dimension.

    Raises:
        Unanswerable: see `check`.
    """
    raise NotImplementedError


def chart(query: Query) -> Chart:
    """Per day the sums of the dearest keys; by DAY, one series of everything.

    Raises:
        Unanswerable: see `check`.
    """
    raise NotImplementedError


def lines(query: Query) -> Iterator[DayLine]:
    """A line for each day and key, days in order, for exports: all of them, whatever `query.most` is. A few days are
    read at a time, so memory and transactions stay small.

    Raises:
        Unanswerable: see `check`; before the first line.
    """
    raise NotImplementedError


def keys(query: Query) -> list[tuple[str, str]]:
    """Key and label of what `by` has in that span, dearest first, at most `query.most`: choices for a filter."""
    raise NotImplementedError


def tags(tenant_id: int) -> list[str]:
    """The tags that the tenant has declared or has usage of, for `Query.tag`."""
    raise NotImplementedError
