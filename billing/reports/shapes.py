"""What reports are asked for, and what they answer. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

OTHERS = "(others)"
"""The key of what has no line of its own: a tenant's values beyond the bound of a day; in a chart, what is left."""


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
