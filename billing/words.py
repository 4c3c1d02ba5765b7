"""Policy in words for people: what budgets cover and are in, what further limits a tier has."""

from datetime import datetime
from zoneinfo import ZoneInfo

from billing import meters, money
from billing.models import Budget, BudgetOverride, Tier, TierLimit

MANY = {
    Budget.Each.APPLICATION: "applications",
    Budget.Each.ENVIRONMENT: "environments",
    Budget.Each.API_KEY: "keys",
    Budget.Each.END_USER: "end users",
    Budget.Each.MODEL: "models",
    Budget.Each.TAG: "values",
}


def covers(budget: Budget) -> str:
    """Which requests it matches, such as `Application Shop · production · tag feature = chat · for each end user`."""
    each = Budget.Each(budget.each).label if budget.each else ""
    if budget.each == Budget.Each.TAG:
        each = f"for each value of {budget.tag}"
    text = " · ".join([*(_scopes(budget) or ["whole tenant"]), *filter(None, [each])])
    return _sentence(text)


def _scopes(budget: Budget) -> list[str]:
    named = (
        (budget.application and budget.application.name, "application {}"),
        (budget.api_key and f"{budget.api_key.name} (…{budget.api_key.last_four})", "key {}"),
        (budget.environment, "environment {}"),
        (budget.model, "model {}"),
        (budget.end_user, "end user {}"),
        (budget.tag_value, f"tag {budget.tag} = {{}}"),
    )
    return [text.format(value) for value, text in named if value]


def period(budget: Budget) -> str:
    """Such as `Month`, `2026-01-01 to 2026-03-31`."""
    if budget.period == Budget.Period.DATES:
        return f"{budget.starts_on:%Y-%m-%d} to {budget.ends_on:%Y-%m-%d}"
    return Budget.Period(budget.period).label.partition(" (")[0].partition(",")[0]


def not_in_force(budget: Budget, *, at: datetime) -> str:
    """Why a budget counts nothing at that time; nothing where it does."""
    bounds = meters.dates_of(budget, ZoneInfo(budget.tenant.time_zone))
    if bounds is None or bounds[0] <= at < bounds[1]:
        return ""
    begins = f"begins {budget.starts_on:%Y-%m-%d}" if at < bounds[0] else f"ended {budget.ends_on:%Y-%m-%d}"
    return f"Not in force: {begins}"


def when_full(budget: Budget) -> str:
    """What becomes of requests once the budget is used up."""
    if not budget.active:
        return ""
    requests = "its requests" if budget.each else "requests"
    return {
        Budget.Mode.HARD: f"{requests} are refused",
        Budget.Mode.SOFT: f"{requests} go on, and are flagged",
        Budget.Mode.DOWNGRADE: f"{budget.downgrade_to} answers {requests}",
    }[Budget.Mode(budget.mode)]


def override(override: BudgetOverride, *, own_nano: int) -> str:
    """That another limit holds, until when, and what the budget's own is."""
    return f"Override until {override.ends_at:%Y-%m-%d %H:%M} UTC, then {money.show(own_nano)} again"


def counted(budget: Budget, count: int) -> str:
    """How many a budget with one limit for each has counted in its period."""
    many = MANY[Budget.Each(budget.each)]
    many = f"values of {budget.tag}" if budget.each == Budget.Each.TAG else many
    if count < 2:
        return f"No {many} counted yet" if not count else f"The first of the {many} counted"
    return f"The fullest of {count:,} {many}"


def never_fits(tier: Tier) -> list[str]:
    """Those of a tier's further limits that a request which names no limit of output exceeds by itself."""
    cap = tier.output_tokens_cap
    least = {TierLimit.Measure.TOKENS: cap + 1, TierLimit.Measure.OUTPUT_TOKENS: cap}
    limits = tier.limits.filter(measure__in=least)
    return [str(limit) for limit in limits if limit.limit < least[TierLimit.Measure(limit.measure)]]


def further_limits(tier: Tier) -> list[str]:
    """The limits beyond those that every tier has, such as `Each key: 10 requests per minute`."""
    return [f"{TierLimit.Scope(limit.scope).label}: {limit}" for limit in tier.limits.all()]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
