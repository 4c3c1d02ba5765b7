"""The admin's front page: today against yesterday, two weeks by day, and what wants attention."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, Tenant
from billing import money, selectors
from billing.admin.usage import duration
from billing.selectors import Group, Totals
from compliance.admin.links import list_url
from compliance.admin.names import Names
from gateway.models import Model

DAYS = 14
TOP = 6
SLOW_S = 0.5
KEPT_S = 60


@dataclass(frozen=True, slots=True)
class Card:
    """A number of today, and how it compares with yesterday by this time of day."""

    title: str
    value: str
    note: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart: heights in per cent of the chart's top."""

    label: str
    title: str
    height: float
    second: float = 0
    url: str = ""
    is_last: bool = False


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds what the front page shows; asked for by the theme (`UNFOLD["DASHBOARD_CALLBACK"]`)."""
    now = timezone.now().astimezone(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=DAYS - 1)
    history = _history(start, now)
    return {
        **context,
        "cards": _cards(selectors.totals(today, now), selectors.totals(today - _DAY, now - _DAY)),
        "requests_chart": _requests_chart(start.date(), history.days),
        "spend_chart": _spend_chart(start.date(), history.days),
        "refusals": _shares(history.codes, "code"),
        "tenants": _tenants(history.tenants),
        "models": _shares(history.models, "model", by_cost=True),
        "budgets": selectors.budgets_near_limit(most=8),
        "recent": _recent(selectors.recent_refusals(start, now, most=8)),
        "steps": _first_steps() if not any(day.requests for day in history.days.values()) else (),
        "days": DAYS,
        "span": f"{start:%-d %B} to today, days in UTC",
    }


@dataclass(frozen=True, slots=True)
class History:
    """The two weeks, added up in four ways."""

    days: dict[date, Group]
    tenants: list[Group]
    models: list[Group]
    codes: list[Group]


def _history(start: datetime, now: datetime) -> History:
    """Counted anew for every visitor, unless that takes long: then kept for a minute."""
    key = f"overview/{start:%Y-%m-%d}"
    kept: History | None = cache.get(key)
    if kept is None:
        began = monotonic()
        kept = History(
            selectors.by_day(start, now),
            selectors.by_tenant(start, now, most=TOP),
            selectors.by_model(start, now, most=TOP),
            selectors.refusals_by_code(start, now, most=TOP),
        )
        if monotonic() - began > SLOW_S:
            cache.set(key, kept, timeout=KEPT_S)
    return kept


_DAY = timedelta(days=1)


def _cards(today: Totals, yesterday: Totals) -> list[Card]:
    usage = list_url("billing_usagerecord", since="today")
    refused = list_url("billing_usagerecord", since="today", outcome="refused")
    share = f"{today.refused / today.requests:.1%} of requests" if today.requests else "No requests yet"
    return [
        Card("Requests", f"{today.requests:,}", _change(today.requests, yesterday.requests), usage),
        Card("Spend", money.show(today.cost_nano), _change(today.cost_nano, yesterday.cost_nano), usage),
        Card(
            "Refusals",
            f"{today.refused:,}",
            f"{share} · {_change(today.refused, yesterday.refused)}" if today.requests else share,
            refused,
            tone="warn" if today.refused else "",
        ),
        Card("Latency, median", duration(today.p50_ms), _change(today.p50_ms, yesterday.p50_ms), usage),
        Card("Latency, 95th percentile", duration(today.p95_ms), _change(today.p95_ms, yesterday.p95_ms), usage),
    ]


def _change(now: float | None, before: float | None) -> str:
    """In words; without a yesterday there is nothing to compare."""
    if not before:
        return "none yesterday by this time" if not now else "nothing yesterday to compare"
    if now is None:
        return "none yet today"
    change = (now - before) / before
    return f"{change:+.0%} on yesterday".replace("-", "−") if abs(change) >= 0.005 else "as yesterday"


def _requests_chart(first: date, days: dict[date, Group]) -> dict[str, Any]:
    groups = [(first + timedelta(days=n), days.get(first + timedelta(days=n))) for n in range(DAYS)]
    top = max([group.requests for _, group in groups if group] + [0])
    return {"top": f"{top:,}", "half": f"{top / 2:,.0f}", "bars": [_request_bar(*pair, top) for pair in groups]}


def _request_bar(day: date, group: Group | None, top: int) -> Bar:
    requests, refused = (group.requests, group.refused) if group else (0, 0)
    title = f"{day:%a %-d %b}: {requests:,} requests, {refused:,} refused"
    return _bar(day, title, _percent(requests - refused, top), _percent(refused, top))


def _spend_chart(first: date, days: dict[date, Group]) -> dict[str, Any]:
    spent = [(first + timedelta(days=n), days.get(first + timedelta(days=n))) for n in range(DAYS)]
    top = max([group.cost_nano for _, group in spent if group] + [0])
    bars = [_spend_bar(day, group.cost_nano if group else 0, top) for day, group in spent]
    return {"top": money.show(top), "half": money.show(top // 2), "bars": bars}


def _spend_bar(day: date, cost_nano: int, top: int) -> Bar:
    return _bar(day, f"{day:%a %-d %b}: {money.show(cost_nano)}", _percent(cost_nano, top))


def _bar(day: date, title: str, height: float, second: float = 0) -> Bar:
    start, end = day.isoformat(), (day + _DAY).isoformat()
    url = list_url("billing_usagerecord", at_from_0=start, at_from_1="00:00:00", at_to_0=end, at_to_1="00:00:00")
    return Bar(f"{day:%-d}", title, height, second, url, is_last=day == timezone.now().date())


def _percent(part: float, whole: float) -> float:
    return round(part * 100 / whole, 2) if whole else 0


def _shares(groups: list[Group], column: str, *, by_cost: bool = False) -> list[dict[str, Any]]:
    """Rows of a bar list, longest bar first."""
    weights = [group.cost_nano if by_cost else group.requests for group in groups]
    top = max([*weights, 0])
    return [
        {
            "label": group.key or "without a code",
            "url": list_url("billing_usagerecord", since="month", **{column: group.key}),
            "width": _percent(weight, top),
            "requests": group.requests,
            "cost": money.show(group.cost_nano),
        }
        for group, weight in zip(groups, weights, strict=True)
    ]


def _tenants(groups: list[Group]) -> list[dict[str, Any]]:
    names = Names(("tenant", str(group.key)) for group in groups)
    rows = _shares(groups, "tenant_id", by_cost=True)
    return [{**row, "label": names.of("tenant", row["label"]).label} for row in rows]


def _recent(records: list[Any]) -> list[dict[str, Any]]:
    names = Names(("tenant", str(record.tenant_id)) for record in records)
    return [{"record": record, "tenant": names.of("tenant", record.tenant_id).link} for record in records]


def _first_steps() -> list[dict[str, Any]]:
    """What to do before anything can be seen here, and what of it is done."""
    return [
        {
            "text": "Open a tenant and give it a tier",
            "url": reverse("admin:accounts_tenant_add"),
            "done": Tenant.objects.exists(),
        },
        {
            "text": "Add a provider, a model with a deployment, and a price",
            "url": reverse("admin:gateway_provider_add"),
            "done": Model.objects.filter(deployments__active=True).exists(),
        },
        {
            "text": "Add an application and issue a key",
            "url": reverse("admin:accounts_apikey_add"),
            "done": ApiKey.objects.exists(),
        },
        {"text": "Send the first request with it", "url": "", "done": False},
    ]
