"""Which meters a tenant's requests are charged to, from its tier and its budgets."""

from collections.abc import Iterable

from billing.contracts import SECOND_NS, MeterKind, MeterSpec, RequestLimits
from billing.models import Budget, Tier

NOTHING = RequestLimits(output_tokens_cap=0, max_messages=0, max_message_chars=0, max_prompt_chars=0)
"""What a tenant without a tier may send."""

_RATES = (
    ("requests_per_minute", MeterKind.REQUESTS, 60),
    ("requests_per_hour", MeterKind.REQUESTS, 3_600),
    ("requests_per_day", MeterKind.REQUESTS, 86_400),
    ("tokens_per_minute", MeterKind.TOKENS, 60),
)


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


def of_budgets(budgets: Iterable[Budget], *, zone: str) -> tuple[MeterSpec, ...]:
    """The meters of those budgets; `zone` is the tenant's, whose midnights begin their periods."""
    return tuple(
        MeterSpec(
            tenant_id=budget.tenant_id,
            name=budget.meter_name,
            label=budget.name,
            kind=MeterKind.BUDGET,
            limit=budget.limit_nano,
            period=budget.period,
            zone=zone,
            soft=budget.mode == Budget.Mode.SOFT,
        )
        for budget in budgets
    )


def request_limits(tier: Tier) -> RequestLimits:
    return RequestLimits(
        output_tokens_cap=tier.output_tokens_cap,
        max_messages=tier.max_messages,
        max_message_chars=tier.max_message_chars,
        max_prompt_chars=tier.max_prompt_chars,
    )
