"""What the front page shows of usage, read from rollups. Days are those of UTC; of refusals, the tenant's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing import latency
from billing.models import UsageDay, UsageHour, UsageLatency, UsageRecord, UsageValue
from billing.models.usage import Outcome

_HOUR, _SECOND = timedelta(hours=1), timedelta(seconds=1)

# Sums are named apart from the columns they are made of, which a second sum or an ORDER BY would otherwise mean.
_SUMS = {
    "sum_requests": Coalesce(Sum("requests"), 0),
    "sum_refused": Coalesce(Sum("refused"), 0),
    "sum_cost_nano": Coalesce(Sum("cost_nano"), 0),
}
_DEAREST = ("-sum_cost_nano", "-sum_requests", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the requests of a span add up to."""

    requests: int = 0
    refused: int = 0
    cost_nano: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Of answered requests, None when there were none; refusals are not among them. See `latency.py` for how exact."""

    p50_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What the requests of one day, tenant, model or refusal code add up to."""

    key: Any
    requests: int
    refused: int
    cost_nano: int


def totals_of(day: date) -> Totals:
    return Totals(**_sums(UsageDay.objects.filter(day=day).aggregate(**_SUMS)))


def totals_until(end: datetime) -> Totals:
    """What its day of UTC had come to by `end`. Of the hour that `end` lies in, that share is taken which was over."""
    day, hour = end.replace(hour=0, minute=0, second=0, microsecond=0), end.replace(minute=0, second=0, microsecond=0)
    before = _sums(UsageHour.objects.filter(hour__gte=day, hour__lt=hour).aggregate(**_SUMS))
    last = _sums(UsageHour.objects.filter(hour__gte=hour, hour__lt=hour + _HOUR).aggregate(**_SUMS))
    return Totals(**{name: before[name] + last[name] * ((end - hour) // _SECOND) // 3600 for name in before})


def latency_of(day: date) -> Latency:
    rows = UsageLatency.objects.filter(day=day).order_by().values("bucket").annotate(sum_answered=Sum("answered"))
    answered = {row["bucket"]: int(row["sum_answered"]) for row in rows}
    return Latency(
        p50_ms=latency.percentile(answered, per_cent=50),
        p95_ms=latency.percentile(answered, per_cent=95),
    )


def by_day(start: date, end: date) -> dict[date, Group]:
    return {group.key: group for group in _groups(_days(start, end), "day", "key", most=(end - start).days)}


def by_tenant(start: date, end: date, *, most: int) -> list[Group]:
    """The tenants whose requests cost most; of equal cost, the busiest."""
    return _groups(_days(start, end), "tenant_id", *_DEAREST, most=most)


def by_model(start: date, end: date, *, most: int) -> list[Group]:
    """The models that cost most, as clients named them; of equal cost, the busiest."""
    return _groups(_days(start, end).exclude(model=""), "model", *_DEAREST, most=most)


def refusals_by_code(start: date, end: date, *, most: int) -> list[Group]:
    rows = UsageValue.objects.filter(kind=UsageValue.Kind.CODE, day__gte=start, day__lt=end, refused__gt=0)
    groups = _groups(rows, "value", "-sum_refused", "key", most=most)
    return [replace(group, requests=group.refused) for group in groups]  # what failed with that code is no refusal


def recent_refusals(start: datetime, end: datetime, *, most: int) -> list[UsageRecord]:
    """The records themselves; their index holds refusals alone."""
    refusals = UsageRecord.objects.filter(outcome=Outcome.REFUSED, at__gte=start, at__lt=end)
    return list(refusals.order_by("-at")[:most])


def _days(start: date, end: date) -> QuerySet[UsageDay]:
    return UsageDay.objects.filter(day__gte=start, day__lt=end)


def _groups(rows: QuerySet[Any], column: str, *order: str, most: int) -> list[Group]:
    grouped = rows.order_by().values(key=F(column)).annotate(**_SUMS).order_by(*order)[:most]
    return [Group(key=row["key"], **_sums(row)) for row in grouped]


def _sums(row: Mapping[str, Any]) -> dict[str, int]:
    return {name.removeprefix("sum_"): int(row[name]) for name in _SUMS}
