"""The admin's front page: today against yesterday, two weeks by day, and what wants attention."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, Tenant
from billing import money, selectors
from billing import overview as usage
from billing.admin import health
from billing.admin.usage import duration
from billing.overview import Group, Latency, Totals
from compliance.admin import overview as privacy
from compliance.admin.links import list_url
from compliance.admin.names import Names
from config import dashboard_guards
from gateway.models import Model

DAYS = 14
TOP = 6


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
    history = _history(start.date(), today.date() + _DAY)
    return {
        **context,
        "cards": _cards(now),
        "requests_chart": _requests_chart(start.date(), history.days),
        "spend_chart": _spend_chart(start.date(), history.days),
        "refusals": _shares(history.codes, "code"),
        "tenants": _tenants(history.tenants),
        "models": _shares(history.models, "model", by_cost=True),
        "budgets": selectors.budgets_near_limit(most=8),
        "recent": _recent(usage.recent_refusals(start, now, most=8)),
        "steps": _first_steps() if not any(day.requests for day in history.days.values()) else (),
        "privacy": privacy.read(request),
        "guarded": dashboard_guards.read(request, start.date()),
        "ledger_warning": health.strip(health.read()),
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


def _history(start: date, end: date) -> History:
    return History(
        usage.by_day(start, end),
        usage.by_tenant(start, end, most=TOP),
        usage.by_model(start, end, most=TOP),
        usage.refusals_by_code(start, end, most=TOP),
    )


_DAY = timedelta(days=1)


def _cards(now: datetime) -> list[Card]:
    """Latencies are compared with those of the whole day before: they do not add up as the day goes on."""
    yesterday = now - _DAY
    return [
        *_sums_cards(usage.totals_of(now.date()), usage.totals_until(yesterday)),
        *_latency_cards(usage.latency_of(now.date()), usage.latency_of(yesterday.date())),
    ]


def _sums_cards(today: Totals, yesterday: Totals) -> list[Card]:
    share = f"{today.refused / today.requests:.1%} of requests" if today.requests else "No requests yet"
    return [
        Card("Requests", f"{today.requests:,}", _change(today.requests, yesterday.requests), _today()),
        Card("Spend", money.show(today.cost_nano), _change(today.cost_nano, yesterday.cost_nano), _today()),
        Card(
            "Refusals",
            f"{today.refused:,}",
            f"{share} · {_change(today.refused, yesterday.refused)}" if today.requests else share,
            _today(outcome="refused"),
            tone="warn" if today.refused else "",
        ),
    ]


def _latency_cards(today: Latency, yesterday: Latency) -> list[Card]:
    return [
        Card(title, duration(now_ms), _change(now_ms, before_ms, by="none yesterday"), _today())
        for title, now_ms, before_ms in (
            ("Latency, median", today.p50_ms, yesterday.p50_ms),
            ("Latency, 95th percentile", today.p95_ms, yesterday.p95_ms),
        )
    ]


def _today(**filters: str) -> str:
    return list_url("billing_usagerecord", since="today", **filters)


def _change(now: float | None, before: float | None, *, by: str = "none yesterday by this time") -> str:
    """In words; without a yesterday there is nothing to compare."""
    if not before:
        return by if not now else "nothing yesterday to compare"
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
