"""What tenants' spending says: of a day and a week, against the past, and where a budget's period is heading.

Days, weeks and hours are those of the tenant's clocks.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from accounts.models import Tenant
from billing import anomalies, projections, spending
from billing.readings import BudgetNow, Reading
from billing.spending import Span

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
WEEKS = 8
"""How many past weeks an hour or a day is compared with."""
SETTLING = timedelta(minutes=5)
"""How long after its end an hour is taken for complete: records are on their way, and long streams end late."""
LEAST_EXCESS_NANO = 1_000_000_000
"""Above the usual; less than a dollar is no incident."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a tenant has spent since the day, or the week, began."""

    tenant_id: int
    name: str
    start: datetime
    spent_nano: int

    def against(self, amount_nano: int) -> Reading:
        return Reading(
            tenant_id=self.tenant_id,
            subject=f"spend/{self.name}",
            label=f"Spend of the {self.name}",
            period_start=self.start,
            value=self.spent_nano,
            base=amount_nano,
            facts={"spent_nano": self.spent_nano, "amount_nano": amount_nano},
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """What an hour, or a day until the end of that hour, has cost, and the same in past weeks.

    The period of both is the day, so an incident that lasts is told once a day.
    """

    tenant_id: int
    name: str
    day: datetime
    until: datetime
    spent_nano: int
    past_nano: Sequence[int]

    def against_past(self, *, least_excess_nano: int | None) -> Reading | None:
        """None where there is too little of a past."""
        least = LEAST_EXCESS_NANO if least_excess_nano is None else least_excess_nano
        most = anomalies.most_usual(self.past_nano, least_excess=least)
        if most is None:
            return None
        return Reading(
            tenant_id=self.tenant_id,
            subject=f"unusual/{self.name}",
            label={"hour": "Spend of an hour", "day": "Spend of the day so far"}[self.name],
            period_start=self.day,
            value=self.spent_nano,
            base=most + 1,
            facts={
                "spent_nano": self.spent_nano,
                "usual_nano": int(anomalies.median(self.past_nano)),
                "most_usual_nano": most,
                "until": self.until.isoformat(),
            },
        )


def of_days(tenants: Collection[Tenant], *, at: datetime) -> list[Running]:
    """Each tenant's spend of the running day."""
    return _running("day", [(tenant.pk, midnight(_day(tenant, at), tenant), at) for tenant in tenants])


def of_weeks(tenants: Collection[Tenant], *, at: datetime) -> list[Running]:
    """Each tenant's spend of the running week, from Monday on."""
    return _running("week", [(tenant.pk, midnight(_monday(_day(tenant, at)), tenant), at) for tenant in tenants])


def of_past_weeks(tenants: Collection[Tenant], *, at: datetime) -> list[Compared]:
    """The last full hour, and the day until its end, of each tenant, beside those of the past weeks."""
    spans = [span for tenant in tenants for span in _spans(tenant, at)]
    amounts = iter(spending.spent(spans))
    hour = _last_hour(at)
    compared = []
    for tenant in tenants:
        by_hour, by_day, by_week = ([next(amounts) for _ in range(WEEKS + 1)] for _ in range(3))
        # Weeks before the first spending are no past: they would make a beginning unusual.
        lived = max((week for week in range(WEEKS + 1) if by_week[week]), default=0)
        for name, costs in (("hour", by_hour), ("day", by_day)):
            day = midnight(_day(tenant, hour), tenant)
            compared.append(Compared(tenant.pk, name, day, hour + HOUR, costs[0], costs[1 : lived + 1]))
    return compared


def of_projections(meters: Collection[BudgetNow], *, at: datetime) -> list[Reading]:
    """What the running periods of budgets will have cost at their end. Of one that is used up it is no news."""
    weekdays = _weekdays({meter.budget.tenant for meter in meters}, at=at)
    readings = []
    for meter in meters:
        tenant = meter.budget.tenant
        expected = projections.projected(
            meter.used_nano,
            start=meter.start,
            end=meter.end,
            at=at,
            zone=tenant.time_zone,
            weekdays=weekdays[tenant.pk],
        )
        if expected is not None:
            facts = {"projected_nano": expected, "ends": meter.end.isoformat()}
            is_news = meter.used_nano < meter.limit_nano
            readings.append(meter.reading(value=expected, base=meter.limit_nano + 1, is_news=is_news, **facts))
    return readings


def midnight(day: date, tenant: Tenant) -> datetime:
    """When that day begins by the tenant's clocks."""
    return datetime.combine(day, time(), ZoneInfo(tenant.time_zone)).astimezone(UTC)


def _day(tenant: Tenant, at: datetime) -> date:
    return at.astimezone(ZoneInfo(tenant.time_zone)).date()


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _running(name: str, spans: Sequence[tuple[int, datetime, datetime]]) -> list[Running]:
    amounts = spending.spent([Span(*span) for span in spans])
    return [Running(tenant, name, start, spent) for (tenant, start, _), spent in zip(spans, amounts, strict=True)]


def _spans(tenant: Tenant, at: datetime) -> Iterable[Span]:
    """Of this week and of each past one: the last full hour; its day until its end; seven days until its end."""
    hours = [_weeks_before(_last_hour(at), week, ZoneInfo(tenant.time_zone)) for week in range(WEEKS + 1)]
    yield from (Span(tenant.pk, hour, hour + HOUR) for hour in hours)
    yield from (Span(tenant.pk, midnight(_day(tenant, hour), tenant), hour + HOUR) for hour in hours)
    yield from (Span(tenant.pk, hour + HOUR - WEEK, hour + HOUR) for hour in hours)


def _last_hour(at: datetime) -> datetime:
    """When the last full hour began. Shortly after midnight it is one of yesterday."""
    return (at - SETTLING).astimezone(UTC).replace(minute=0, second=0, microsecond=0) - HOUR


def _weeks_before(moment: datetime, weeks: int, zone: ZoneInfo) -> datetime:
    """The same time of the clock so many weeks before. Where the clocks were changed it is another hour in UTC."""
    local = moment.astimezone(zone)
    return (local.replace(tzinfo=None) - weeks * WEEK).replace(tzinfo=zone, fold=local.fold).astimezone(UTC)


def _weekdays(tenants: Collection[Tenant], *, at: datetime) -> dict[int, list[int]]:
    """By tenant what the weekdays of the last four weeks have cost; nothing where there were no four weeks yet."""
    days = [(t, midnight(day, t), midnight(day + DAY, t)) for t in tenants for day in _last_days(_day(t, at), 28)]
    amounts = spending.spent([Span(t.pk, start, end) for t, start, end in days])
    sums = {tenant.pk: [0] * 7 for tenant in tenants}
    oldest = {tenant.pk: 0 for tenant in tenants}
    for number, ((tenant, start, _), amount) in enumerate(zip(days, amounts, strict=True)):
        sums[tenant.pk][_day(tenant, start).weekday()] += amount
        oldest[tenant.pk] += amount if number % 28 < 7 else 0
    return {pk: sums[pk] if oldest[pk] else [] for pk in sums}


def _last_days(today: date, count: int) -> list[date]:
    """The `count` days before today, oldest first."""
    return [today - timedelta(days=number) for number in range(count, 0, -1)]
