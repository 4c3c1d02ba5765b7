"""Which meters a key's requests are charged to, from its tenant's tier and budgets."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from accounts.models import ApiKey
from billing.charging import SEPARATE, Charging, Each, Rule
from billing.contracts import SECOND_NS, MeterKind, MeterSpec, RequestLimits
from billing.models import Budget, BudgetOverride, Tier, TierLimit

NOTHING = RequestLimits(output_tokens_cap=0, max_messages=0, max_message_chars=0, max_prompt_chars=0)
"""What a tenant without a tier may send."""

_RATES = (
    ("requests_per_minute", MeterKind.REQUESTS, 60),
    ("requests_per_hour", MeterKind.REQUESTS, 3_600),
    ("requests_per_day", MeterKind.REQUESTS, 86_400),
    ("tokens_per_minute", MeterKind.TOKENS, 60),
)
_KINDS = {
    TierLimit.Measure.REQUESTS: MeterKind.REQUESTS,
    TierLimit.Measure.TOKENS: MeterKind.TOKENS,
    TierLimit.Measure.INPUT_TOKENS: MeterKind.INPUT_TOKENS,
    TierLimit.Measure.OUTPUT_TOKENS: MeterKind.OUTPUT_TOKENS,
    TierLimit.Measure.CONCURRENCY: MeterKind.CONCURRENCY,
}
_SECONDS = {"": 0, TierLimit.Per.MINUTE: 60, TierLimit.Per.HOUR: 3_600, TierLimit.Per.DAY: 86_400}
_PER_REQUEST: dict[str, Each] = {
    Budget.Each.END_USER: "end_user",
    Budget.Each.MODEL: "model",
    Budget.Each.TAG: "tag",
}


@dataclass(frozen=True, slots=True)
class Charges:
    """The meters of a key's requests. `changes_at`: when a date of a budget or override changes them by itself."""

    charging: Charging
    changes_at: datetime | None


def of_key(key: ApiKey, *, tier: Tier | None, at: datetime) -> Charges:
    """What the requests of `key` are charged to at that time."""
    budgets = list(_budgets_of(key))
    zone = ZoneInfo(key.tenant.time_zone)
    limits = [_limit(limit, key=key, tier=tier) for limit in tier.limits.all()] if tier else []
    current = [budget for budget in budgets if in_force(budget, zone, at=at)]
    rules = [*limits, *(_rule(budget, key=key, tier=tier, at=at) for budget in current)]
    # What does not depend on the request after all is the same for each.
    fixed = tuple(rule.spec for rule in rules if rule == Rule(spec=rule.spec))
    depending = tuple(rule for rule in rules if rule != Rule(spec=rule.spec))
    of_tenant = of_tier(tier, tenant_id=key.tenant_id) if tier else ()
    changes = [moment for budget in budgets for moment in _moments(budget, zone) if moment > at]
    return Charges(Charging((*of_tenant, *fixed), depending), min(changes, default=None))


def of_tier(tier: Tier, *, tenant_id: int) -> tuple[MeterSpec, ...]:
    """The rates and the concurrency that a tier grants its tenant as a whole."""
    rates = tuple(
        MeterSpec(
            tenant_id=tenant_id,
            name=f"tenant/{field}",
            label=field.replace("_", " "),
            kind=kind,
            limit=getattr(tier, field),
            window_ns=seconds * SECOND_NS,
        )
        for field, kind, seconds in _RATES
    )
    concurrency = MeterSpec(
        tenant_id=tenant_id,
        name="tenant/concurrency",
        label="requests at once",
        kind=MeterKind.CONCURRENCY,
        limit=tier.concurrency,
    )
    return (*rates, concurrency)


def request_limits(tier: Tier) -> RequestLimits:
    return RequestLimits(
        output_tokens_cap=tier.output_tokens_cap,
        max_messages=tier.max_messages,
        max_message_chars=tier.max_message_chars,
        max_prompt_chars=tier.max_prompt_chars,
    )


def in_force(budget: Budget, zone: ZoneInfo, *, at: datetime) -> bool:
    """Whether `at` lies within the dates of `budget`, by the clocks of `zone`; always, for one without dates."""
    bounds = dates_of(budget, zone)
    return bounds is None or bounds[0] <= at < bounds[1]


def dates_of(budget: Budget, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """When the fixed dates of a budget begin, and when they are over."""
    if budget.period != Budget.Period.DATES or budget.starts_on is None or budget.ends_on is None:
        return None
    after = budget.ends_on + timedelta(days=1)
    return datetime.combine(budget.starts_on, time(), zone), datetime.combine(after, time(), zone)


def limit_nano(budget: Budget, *, at: datetime) -> int:
    """The limit of `budget` at that time: of the override that began last, or its own."""
    override = override_of(budget, at=at)
    return budget.limit_nano if override is None else override.limit_nano


def override_of(budget: Budget, *, at: datetime) -> BudgetOverride | None:
    """The override of `budget` that holds at that time; of several the one that began last."""
    holding = [override for override in budget.overrides.all() if override.starts_at <= at < override.ends_at]
    return max(holding, key=lambda override: (override.starts_at, override.pk), default=None)


def _budgets_of(key: ApiKey) -> Iterable[Budget]:
    """The active budgets that requests of `key` may match."""
    budgets = Budget.objects.filter(tenant=key.tenant, active=True).order_by("id").prefetch_related("overrides")
    for budget in budgets:
        if (
            budget.application_id in (None, key.application_id)
            and budget.api_key_id in (None, key.pk)
            and budget.environment in ("", key.environment)
        ):
            yield budget


def _moments(budget: Budget, zone: ZoneInfo) -> Iterable[datetime]:
    yield from dates_of(budget, zone) or ()
    for override in budget.overrides.all():
        yield from (override.starts_at, override.ends_at)


def _rule(budget: Budget, *, key: ApiKey, tier: Tier | None, at: datetime) -> Rule:
    own = (
        {
            Budget.Each.APPLICATION: str(key.application_id),
            Budget.Each.ENVIRONMENT: key.environment,
            Budget.Each.API_KEY: str(key.pk),
        }.get(Budget.Each(budget.each))
        if budget.each
        else None
    )
    spec = MeterSpec(
        tenant_id=budget.tenant_id,
        name=budget.meter_name if own is None else f"{budget.meter_name}{SEPARATE}{own}",
        label=budget.name,
        kind=MeterKind.BUDGET,
        limit=limit_nano(budget, at=at),
        period=budget.ledger_period,
        zone=key.tenant.time_zone,
        soft=budget.mode == Budget.Mode.SOFT,
        downgrade_to=budget.downgrade_to,
        most=tier.separate_meters_most if tier else 0,
    )
    return Rule(
        spec=spec,
        model=budget.model,
        end_user=budget.end_user,
        tag=budget.tag,
        tag_value=budget.tag_value,
        each=_PER_REQUEST.get(budget.each, ""),
    )


def _limit(limit: TierLimit, *, key: ApiKey, tier: Tier | None) -> Rule:
    measure = f"{limit.measure}_per_{limit.per}" if limit.per else limit.measure
    owner, whose = {
        TierLimit.Scope.TENANT: ("tenant", ""),
        TierLimit.Scope.APPLICATION: (f"application/{key.application_id}", " of this application"),
        TierLimit.Scope.API_KEY: (f"key/{key.pk}", " of this key"),
        TierLimit.Scope.END_USER: ("end_user", " of this end user"),
    }[TierLimit.Scope(limit.scope)]
    spec = MeterSpec(
        tenant_id=key.tenant_id,
        name=f"{owner}/{measure}",
        label=limit.words + whose,
        kind=_KINDS[TierLimit.Measure(limit.measure)],
        limit=limit.limit,
        window_ns=_SECONDS[limit.per] * SECOND_NS,
        most=tier.separate_meters_most if tier else 0,
    )
    return Rule(spec=spec, each="end_user" if limit.scope == TierLimit.Scope.END_USER else "")
