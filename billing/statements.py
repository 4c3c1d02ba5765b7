"""The monthly statement of a tenant: what its requests cost, and what was adjusted, by the clocks of its own zone.

It is read from rollups. A month that is over and settled gives the same figures whenever it is asked for: adjustments
count in the month in which they are made, whatever they are about.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import Tenant
from billing import partitions, reports
from billing.models import Adjustment
from billing.reports import Dimension, Line, Query, Sums

SETTLING = timedelta(days=1)
"""After a month's end its last requests may still run, or wait to be charged at their hold."""
MOST_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """An adjustment that was made in the month; `about` says of what."""

    at: datetime
    about: str
    reason: str
    amount_nano: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`lines` by dimension have one for `others` where there are very many. `days` are all of the month's. `as_of` is
    when it was made, or, of a month that is final, since when it has been."""

    tenant: Tenant
    month: date
    as_of: datetime
    is_final: bool
    usage: Sums
    models: Sequence[Line]
    applications: Sequence[Line]
    keys: Sequence[Line]
    days: Sequence[Line]
    adjustments: Sequence[Adjusted]

    @property
    def number(self) -> str:
        return f"{self.tenant.slug}-{self.month:%Y-%m}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tenant.time_zone)

    @property
    def adjusted_nano(self) -> int:
        return sum(each.amount_nano for each in self.adjustments)

    @property
    def total_nano(self) -> int:
        return self.usage.cost_nano + self.adjusted_nano

    @property
    def estimated(self) -> str:
        """The part of the cost whose tokens were counted here, in per cent, rounded down: `2.5 %`."""
        tenths = self.usage.estimated_nano * 1000 // self.usage.cost_nano if self.usage.cost_nano else 0
        return f"{tenths // 10}.{tenths % 10} %"

    @property
    def figures(self) -> bytes:
        """All numbers, in one form only: equal figures are equal bytes."""
        named = {
            "number": self.number,
            "zone": self.tenant.time_zone,
            "usage": asdict(self.usage),
            "models": [asdict(line) for line in self.models],
            "applications": [_without_label(line) for line in self.applications],
            "keys": [_without_label(line) for line in self.keys],
            "days": [asdict(line) for line in self.days],
            "adjustments": [{**asdict(each), "at": each.at.astimezone(UTC).isoformat()} for each in self.adjustments],
        }
        return json.dumps(named, sort_keys=True, separators=(",", ":")).encode()

    @property
    def fingerprint(self) -> str:
        """Of the figures: two statements with the same one say the same."""
        return hashlib.sha256(self.figures).hexdigest()[:16]


def statement(tenant: Tenant, month: date, *, now: datetime | None = None) -> Statement:
    """The statement of the month that begins with that day."""
    now = now or timezone.now()
    start, end = bounds(tenant, month)
    models = _report(tenant, month, Dimension.MODEL)
    return Statement(
        tenant=tenant,
        month=month,
        as_of=min(now, end + SETTLING),
        is_final=now >= end + SETTLING,
        usage=models.total,
        models=_lines(models),
        applications=_lines(_report(tenant, month, Dimension.APPLICATION)),
        keys=_lines(_report(tenant, month, Dimension.API_KEY)),
        days=_all_days(month, _report(tenant, month, Dimension.DAY).lines),
        adjustments=_adjusted(tenant, start, end),
    )


def bounds(tenant: Tenant, month: date) -> tuple[datetime, datetime]:
    """The first moment of a month by the tenant's clocks, and that of the next."""
    zone = ZoneInfo(tenant.time_zone)
    return datetime.combine(month, time(), zone), datetime.combine(partitions.following(month), time(), zone)


def month_of(text: str) -> date:
    """The month that `2026-11` names.

    Raises:
        ValueError: it names none.
    """
    try:
        return datetime.strptime(text, "%Y-%m").date()
    except ValueError as error:
        raise ValueError(f"{text!r} is no month; write it as 2026-11.") from error


def months(tenant: Tenant, *, most: int = 24) -> list[date]:
    """The months from this one back to the one in which the tenant was opened, at most so many."""
    zone = ZoneInfo(tenant.time_zone)
    month = timezone.now().astimezone(zone).date().replace(day=1)
    first = tenant.created_at.astimezone(zone).date().replace(day=1)
    found = [month]
    while month > first and len(found) < most:
        month = (month - timedelta(days=1)).replace(day=1)
        found.append(month)
    return found


def _report(tenant: Tenant, month: date, by: Dimension) -> reports.Report:
    query = Query(start=month, end=partitions.following(month), tenant_id=tenant.pk, by=by, most=MOST_LINES)
    return reports.report(query)


def _lines(report: reports.Report) -> list[Line]:
    return [*report.lines, *([report.others] if report.others else [])]


def _all_days(month: date, lines: Sequence[Line]) -> list[Line]:
    known = {line.key: line for line in lines}
    days = (month + timedelta(days=n) for n in range((partitions.following(month) - month).days))
    return [known.get(day.isoformat(), Line(key=day.isoformat(), label=day.isoformat())) for day in days]


def _adjusted(tenant: Tenant, start: datetime, end: datetime) -> list[Adjusted]:
    made = Adjustment.objects.filter(tenant=tenant, created_at__gte=start, created_at__lt=end)
    return [
        Adjusted(at=each.created_at, about=about(each), reason=each.reason, amount_nano=each.amount_nano)
        for each in made.select_related("application", "api_key").order_by("created_at", "pk")
    ]


def about(adjustment: Adjustment) -> str:
    """What an adjustment is about, in a few words."""
    if adjustment.request_id:
        return f"Request {adjustment.request_id}"
    named = (
        ("key", adjustment.api_key.name if adjustment.api_key else ""),
        ("application", adjustment.application.name if adjustment.application and not adjustment.api_key else ""),
        ("environment", adjustment.environment if not adjustment.api_key else ""),
        ("model", adjustment.model),
        ("end user", adjustment.end_user),
        (adjustment.tag, adjustment.tag_value),
    )
    return ", ".join(f"{what} {which}" for what, which in named if which) or "Whole tenant"


def _without_label(line: Line) -> dict[str, object]:
    """Names of applications and keys may change; their numbers do not."""
    return {name: value for name, value in asdict(line).items() if name != "label"}
