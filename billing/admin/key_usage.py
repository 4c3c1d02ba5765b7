"""What the page of a key shows of its last 30 days: sums, and a small chart of requests by day of UTC, from rollups."""

from datetime import UTC, date, timedelta
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from accounts.admin.keys import ApiKeyAdmin
from accounts.models import ApiKey
from billing import money
from billing.models import UsageDay
from compliance.admin.links import list_url

DAYS = 30
LABEL_EACH = 7


def of_key(key: ApiKey) -> dict[str, Any] | None:
    """The context of `accounts/key_usage.html`; None without any request."""
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    rows = UsageDay.objects.filter(tenant_id=key.tenant_id, day__gte=first, api_key_id=key.pk).order_by("day")
    days: dict[date, Any] = {
        row["day"]: row
        for row in rows.values("day").annotate(count=Sum("requests"), turned_down=Sum("refused"), nano=Sum("cost_nano"))
    }
    if not days:
        return None
    return {
        "requests": f"{sum(row['count'] for row in days.values()):,}",
        "refused": f"{sum(row['turned_down'] for row in days.values()):,}".removeprefix("0"),
        "cost": money.show(sum(row["nano"] for row in days.values())),
        "chart": _chart(first, days, url=list_url("billing_usagerecord", api_key_id=key.pk, since="month")),
    }


def _chart(first: date, days: dict[date, Any], *, url: str) -> dict[str, Any]:
    top = max(row["count"] for row in days.values())
    bars = [_bar(first + timedelta(days=number), number, days, top=top, url=url) for number in range(DAYS)]
    return {"top": f"{top:,}", "half": f"{top // 2:,}" if top > 1 else "", "bars": bars}


def _bar(day: date, number: int, days: dict[date, Any], *, top: int, url: str) -> dict[str, Any]:
    row = days.get(day, {"count": 0, "turned_down": 0, "nano": 0})
    served = row["count"] - row["turned_down"]
    title = (
        f"{day:%-d %B}: {row['count']:,} requests, {row['turned_down']:,} of them refused, {money.show(row['nano'])}"
    )
    is_last = number == DAYS - 1
    return {
        "label": "today" if is_last else f"{day:%-d %b}" if number % LABEL_EACH == 0 and number < DAYS - 3 else "",
        "title": title,
        "height": served * 100 / top,
        "second": row["turned_down"] * 100 / top,
        "url": url,
        "is_last": is_last,
    }


ApiKeyAdmin.usage_of = staticmethod(of_key)
