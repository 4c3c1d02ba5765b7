"""How much of each limit is used: what the ledger's meters say, held against the limits of budgets and tiers.

The ledger is read by single statements, outside of any transaction. What rises and falls again between two looks, such
as a rate, is not seen; what was refused meanwhile is in the usage records all the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from django.db import connections

from accounts.models import ApiKey, Application
from billing import meters, separate
from billing.charging import NOBODY, SEPARATE
from billing.contracts import SECOND_NS
from billing.models import Budget, BudgetOverride, Subscription, TierLimit

LEDGER = "ledger"
SLICE = 200
"""Names of meters in one statement, so that none holds its snapshot for long."""
WORTH_A_LOOK = 5
"""Per cent of a limit: meters below are not fetched, as of a budget per end user there may be thousands."""

# A meter by its name, and with it those of its values (`name#value`): '$' comes after '#' in the order of bytes.
# OFFSET 0 keeps the look into the index per name; the planner would rather join, and read the whole table.
BUDGET_METERS = """
SELECT wanted.ord::int, meter.name, meter.used, meter.period_start, meter.period_end
FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) WITH ORDINALITY AS wanted (tenant, name, least, ord)
CROSS JOIN LATERAL (
    SELECT * FROM meter
    WHERE tenant_id = wanted.tenant AND meter.name >= wanted.name AND meter.name < wanted.name || '$' OFFSET 0
) AS meter
WHERE meter.used >= wanted.least AND meter.used > 0 AND meter.period_start <= %s AND meter.period_end > %s
"""
RATE_METERS = """
SELECT wanted.ord::int, meter.name, meter.held,
    greatest(meter.tat_ns - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000, 0)
FROM unnest(%s::bigint[], %s::text[]) WITH ORDINALITY AS wanted (tenant, name, ord)
CROSS JOIN LATERAL (
    SELECT * FROM meter
    WHERE tenant_id = wanted.tenant AND meter.name >= wanted.name AND meter.name < wanted.name || '$' OFFSET 0
) AS meter
WHERE meter.held > 0 OR meter.tat_ns > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value against what it is held to. Levels are per cent of `base`; `facts` is what people are told."""

    tenant_id: int
    subject: str
    label: str
    period_start: datetime
    value: int
    base: int
    facts: dict[str, Any] = field(default_factory=dict)
    budget: Budget | None = None
    is_news: bool = True
    """Whether it may raise an alert; what is not news only keeps open what is open."""

    def is_at(self, level: int, *, of: int = 100) -> bool:
        """Whether the value is at `level` per cent, or at `of` per cent of that. Nothing is at no level."""
        return self.value > 0 and self.value * 100 * 100 >= self.base * level * of


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetNow:
    """A budget's meter in the period that is running."""

    budget: Budget
    meter: str
    used_nano: int
    limit_nano: int
    start: datetime
    end: datetime
    whose: str | None = None
    """Of a meter that counts one apart from others: which, as in the meter's name or by its own name."""

    @property
    def label(self) -> str:
        return _label(self.budget, self.whose)

    def reading(self, *, value: int, base: int, is_news: bool = True, **facts: Any) -> Reading:
        return Reading(
            tenant_id=self.budget.tenant_id,
            subject=self.meter,
            label=self.label,
            period_start=self.start,
            value=value,
            base=base,
            facts={
                "budget_id": self.budget.pk,
                "used_nano": self.used_nano,
                "limit_nano": self.limit_nano,
                "percent": self.used_nano * 100 // self.limit_nano if self.limit_nano else 100,
                "period": self.budget.period,
                **({} if self.whose is None else {"value": _told(self.whose)}),
                **facts,
            },
            budget=self.budget,
            is_news=is_news,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """A rate or concurrency limit, and the name of its meters. No window: requests at once."""

    tenant_id: int
    name: str
    label: str
    limit: int
    window_ns: int


def of_budgets(budgets: Sequence[Budget], *, least: int, at: datetime) -> list[BudgetNow]:
    """The meters of `budgets` that have used at least `least` per cent of their limit, as it is at that time."""
    limits = _limits(budgets, at=at)
    found = []
    for part in _slices(budgets):
        floors = [limits[budget.pk] * least // 100 for budget in part]
        names = [budget.meter_name for budget in part]
        rows = _rows(BUDGET_METERS, [budget.tenant_id for budget in part], names, floors, at, at)
        found += [(part[ord - 1], *row) for ord, *row in rows]
    whose = _whose([(budget, meter) for budget, meter, *_ in found])
    return [
        BudgetNow(
            budget=budget,
            meter=meter,
            used_nano=used,
            limit_nano=limits[budget.pk],
            start=start,
            end=end,
            whose=whose.get(meter),
        )
        for budget, meter, used, start, end in found
    ]


def of_rates(tenants: Iterable[int], *, at: datetime) -> list[Reading]:
    """How much of their rates and of their requests at once the tenants use, and each application, key and end user.

    The period of a rate is the clock's hour: whoever lives near a limit is told once an hour, not with every request.
    """
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    readings = []
    for part in _slices(list(_rates_of(set(tenants)))):
        for ord, meter, held, ahead_ns in _rows(RATE_METERS, [rate.tenant_id for rate in part], [r.name for r in part]):
            rate = part[ord - 1]
            # What of a token rate is held by requests on their way counts as what they have taken already.
            of_rate = (ahead_ns + held * (rate.window_ns // rate.limit), rate.window_ns)
            value, base = of_rate if rate.window_ns else (held, rate.limit)
            whose = meter.partition(SEPARATE)[2]
            readings.append(
                Reading(
                    tenant_id=rate.tenant_id,
                    subject=meter,
                    label=f"{rate.label}{f' {whose}' if whose else ''}"[:200],
                    period_start=hour,
                    value=value,
                    base=base,
                    facts={"limit": rate.limit, "percent": value * 100 // base},
                )
            )
    return readings


def resolved(seen: Sequence[Reading]) -> list[Reading]:
    """The same readings with the names of models and values of tags, of which names of meters carry only hashes.

    It reads usage records, so it is for the few readings that people are told of.
    """
    hashed = {
        each.budget.pk: (each.budget, each.period_start)
        for each in seen
        if each.budget and each.budget.each in separate.HASHED and each.facts.get("value")
    }
    known = {pk: separate.known_values(budget, since=start) for pk, (budget, start) in hashed.items()}
    return [_resolved(each, known.get(each.budget.pk)) if each.budget else each for each in seen]


def _resolved(reading: Reading, known: dict[str, str] | None) -> Reading:
    name = (known or {}).get(reading.subject.partition(SEPARATE)[2])
    if name is None or reading.budget is None:
        return reading
    return replace(reading, label=_label(reading.budget, name), facts=reading.facts | {"value": name})


def _whose(meters: Sequence[tuple[Budget, str]]) -> dict[str, str]:
    """What separate meters are of, by their names. Of models and values of tags it is only a hash."""
    separate = [(budget, meter, meter.partition(SEPARATE)[2]) for budget, meter in meters if SEPARATE in meter]
    ids = {each: {value for budget, _, value in separate if budget.each == each and value} for each in Budget.Each}
    names = {
        Budget.Each.APPLICATION: _names_of(Application, ids[Budget.Each.APPLICATION]),
        Budget.Each.API_KEY: _names_of(ApiKey, ids[Budget.Each.API_KEY]),
    }
    return {
        meter: names.get(Budget.Each(budget.each), {}).get(value, value)
        for budget, meter, value in separate
        if budget.each
    }


def _names_of(model: type[Application | ApiKey], ids: set[str]) -> dict[str, str]:
    numbers = [int(value) for value in ids if value.isdecimal()]
    rows = model._default_manager.filter(pk__in=numbers).values_list("pk", "name") if numbers else ()
    return {str(pk): name for pk, name in rows}


def _told(whose: str) -> str | None:
    """What programs are told: nothing where the meter is of all others, or of those that name nobody."""
    return None if whose in ("", NOBODY) else whose


def _label(budget: Budget, whose: str | None) -> str:
    return (budget.name if whose is None else f"{budget.name}, {_of_one(budget, whose)}")[:200]


def _of_one(budget: Budget, value: str) -> str:
    if not value:
        return "all beyond what the tier counts apart"
    if value == NOBODY:
        return "requests that name no end user"
    noun = budget.tag if budget.each == Budget.Each.TAG else budget.each.replace("api_key", "key").replace("_", " ")
    return f"{noun} {value}"


def _limits(budgets: Sequence[Budget], *, at: datetime) -> dict[int, int]:
    """By budget the limit that holds at that time: of the override that began last, or its own."""
    overrides = BudgetOverride.objects.filter(budget__in=budgets, starts_at__lte=at, ends_at__gt=at)
    changed = dict(overrides.order_by("starts_at", "id").values_list("budget_id", "limit_nano"))
    return {budget.pk: changed.get(budget.pk, budget.limit_nano) for budget in budgets}


def _rates_of(tenants: set[int]) -> Iterator[_Rate]:
    subscriptions = Subscription.objects.filter(tenant__in=tenants).select_related("tier")
    owners = _owners(tenants)
    for subscription in subscriptions.prefetch_related("tier__limits"):
        tenant_id = subscription.tenant_id
        for spec in meters.of_tier(subscription.tier, tenant_id=tenant_id):
            yield _Rate(
                tenant_id=tenant_id, name=spec.name, label=spec.label, limit=spec.limit, window_ns=spec.window_ns
            )
        for limit in subscription.tier.limits.all():
            measure = f"{limit.measure}_per_{limit.per}" if limit.per else limit.measure
            for owner, whose in owners[limit.scope].get(tenant_id, ()):
                yield _Rate(
                    tenant_id=tenant_id,
                    name=f"{owner}/{measure}",
                    label=limit.words + whose,
                    limit=limit.limit,
                    window_ns=_SECONDS[limit.per] * SECOND_NS,
                )


_SECONDS = {"": 0, TierLimit.Per.MINUTE: 60, TierLimit.Per.HOUR: 3_600, TierLimit.Per.DAY: 86_400}


def _owners(tenants: set[int]) -> dict[str, dict[int, list[tuple[str, str]]]]:
    """By scope and tenant, what the names of meters begin with, and whose they are."""
    owners: dict[str, dict[int, list[tuple[str, str]]]] = {
        TierLimit.Scope.TENANT: {tenant: [("tenant", "")] for tenant in tenants},
        TierLimit.Scope.END_USER: {tenant: [("end_user", " of the end user")] for tenant in tenants},
        TierLimit.Scope.APPLICATION: {},
        TierLimit.Scope.API_KEY: {},
    }
    for pk, tenant, name in Application.objects.filter(tenant__in=tenants).values_list("pk", "tenant", "name"):
        owners[TierLimit.Scope.APPLICATION].setdefault(tenant, []).append((f"application/{pk}", f" of {name}"))
    keys = ApiKey.objects.filter(tenant__in=tenants, status=ApiKey.Status.ACTIVE)
    for pk, tenant, name in keys.values_list("pk", "tenant", "name"):
        owners[TierLimit.Scope.API_KEY].setdefault(tenant, []).append((f"key/{pk}", f" of the key {name}"))
    return owners


def _slices(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + SLICE] for start in range(0, len(rows), SLICE))


def _rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
