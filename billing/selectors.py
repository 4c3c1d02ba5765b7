"""Reads that more than one door needs: what budgets have used, and what usage records add up to.

Everything about usage takes a span of time, so that only the partitions of its months are read. Days are UTC days.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import Aggregate, DateField, F, FloatField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Now, TruncDay

from accounts.models import ApiKey
from billing import money
from billing.ledger.models import Meter
from billing.models import Budget, UsageRecord
from billing.models.usage import Outcome

NEAR = 80
"""Per cent of a budget from which on it is worth a look."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a budget is used and held in its current period; None when the ledger does not answer."""

    limit_nano: int
    taken_nano: int | None

    @property
    def is_known(self) -> bool:
        return self.taken_nano is not None

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 means that nothing is left."""
        if not self.limit_nano:
            return 100
        return (self.taken_nano or 0) * 100 // self.limit_nano

    @property
    def width(self) -> int:
        return min(self.percent, 100)

    @property
    def level(self) -> str:
        """`over` from 100 %, `near` from 80 %, else nothing."""
        if not self.is_known or self.percent < NEAR:
            return ""
        return "near" if self.percent < 100 else "over"

    @property
    def words(self) -> str:
        return f"{money.show(self.taken_nano or 0)} of {money.show(self.limit_nano)}"


def uses_of(budgets: Collection[Budget]) -> dict[int, Use]:
    """For each budget (by primary key) its use, in one query of the ledger."""
    taken = _taken({budget.meter_name for budget in budgets}, {budget.tenant_id for budget in budgets})
    return {
        budget.pk: Use(budget.limit_nano, None if taken is None else taken.get(budget.meter_name, 0))
        for budget in budgets
    }


def budgets_near_limit(*, most: int) -> list[tuple[Budget, Use]] | None:
    """The active budgets from 80 % on, fullest first; None when the ledger does not answer."""
    budgets = list(Budget.objects.filter(active=True).select_related("tenant"))
    uses = uses_of(budgets)
    if not all(use.is_known for use in uses.values()):
        return None
    near = [(budget, uses[budget.pk]) for budget in budgets if uses[budget.pk].level]
    return sorted(near, key=lambda pair: -pair[1].percent)[:most]


def _taken(names: set[str], tenants: set[int]) -> dict[str, int] | None:
    """Nano-dollars by meter. A meter whose period is over counts as unused: it rolls over with its next request."""
    current = Meter.objects.filter(tenant_id__in=tenants, name__in=names, period_end__gt=Now())
    try:
        return {row["name"]: row["used"] + row["held"] for row in current.values("name", "used", "held")}
    except DatabaseError:
        return None


def last_used(key_ids: Collection[int]) -> dict[int, datetime]:
    """When keys were last used, of those that ever were: one look into the index per key."""
    newest = UsageRecord.objects.filter(api_key_id=OuterRef("pk")).order_by("-at").values("at")[:1]
    keys = ApiKey.objects.filter(pk__in=key_ids).order_by().annotate(used_at=Subquery(newest))
    return {pk: used_at for pk, used_at in keys.values_list("pk", "used_at") if used_at is not None}


class Percentile(Aggregate):
    """The value that a share (0 to 1) of the rows do not exceed."""

    function = "percentile_cont"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: str, *, share: float, **extra: Any) -> None:
        super().__init__(expression, share=float(share), **extra)


REFUSED = Q(outcome=Outcome.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the requests of a span add up to; latencies of answered ones only, None when there were none."""

    requests: int = 0
    refused: int = 0
    cost_nano: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What the requests of one day, tenant, model or refusal code add up to."""

    key: Any
    requests: int
    refused: int
    cost_nano: int


def between(start: datetime, end: datetime) -> QuerySet[UsageRecord]:
    return UsageRecord.objects.filter(at__gte=start, at__lt=end)


# Sums are named apart from the columns they are made of, which a second sum or an ORDER BY would otherwise mean.
SUMS = {
    "sum_requests": Coalesce(Sum("requests"), 0),
    "sum_refused": Coalesce(Sum("requests", filter=REFUSED), 0),
    "sum_cost_nano": Coalesce(Sum("cost_nano"), 0),
}
DEAREST = ("-sum_cost_nano", "-sum_requests")


def totals(start: datetime, end: datetime) -> Totals:
    sums = between(start, end).aggregate(
        **SUMS,
        p50_ms=Percentile("latency_ms", share=0.5, filter=~REFUSED),
        p95_ms=Percentile("latency_ms", share=0.95, filter=~REFUSED),
    )
    return Totals(**_sums(sums), p50_ms=sums["p50_ms"], p95_ms=sums["p95_ms"])


def by_day(start: datetime, end: datetime) -> dict[date, Group]:
    day = TruncDay("at", tzinfo=UTC, output_field=DateField())
    return {group.key: group for group in _groups(between(start, end), day, "key")}


def by_tenant(start: datetime, end: datetime, *, most: int) -> list[Group]:
    """The tenants whose requests cost most; of equal cost, the busiest."""
    return _groups(between(start, end), F("tenant_id"), *DEAREST, most=most)


def by_model(start: datetime, end: datetime, *, most: int) -> list[Group]:
    """The models that cost most, as clients named them; of equal cost, the busiest."""
    return _groups(between(start, end).exclude(model=""), F("model"), *DEAREST, most=most)


def refusals_by_code(start: datetime, end: datetime, *, most: int) -> list[Group]:
    return _groups(between(start, end).filter(REFUSED), F("code"), "-sum_requests", most=most)


def recent_refusals(start: datetime, end: datetime, *, most: int) -> list[UsageRecord]:
    return list(between(start, end).filter(REFUSED).order_by("-at")[:most])


def _groups(rows: QuerySet[UsageRecord], key: Combinable, *order: str, most: int = 100) -> list[Group]:
    grouped = rows.order_by().values(key=key).annotate(**SUMS).order_by(*order)[:most]
    return [Group(key=row["key"], **_sums(row)) for row in grouped]


def _sums(row: Mapping[str, Any]) -> dict[str, int]:
    return {name.removeprefix("sum_"): int(row[name]) for name in SUMS}
