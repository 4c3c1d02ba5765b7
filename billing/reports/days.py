"""Whose days a report has, and when they begin."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from accounts.models import Tenant


def zone_of(tenant_id: int | None) -> ZoneInfo:
    """The zone whose days a report of that tenant has; of all tenants (None), UTC."""
    if tenant_id is None:
        return ZoneInfo("UTC")
    return ZoneInfo(Tenant.objects.filter(pk=tenant_id).values_list("time_zone", flat=True).first() or "UTC")


def beginning(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day, in UTC. Where clocks skip midnight, the moment at which they do so."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def whole_days(start: datetime, end: datetime) -> tuple[date, date]:
    """The days of UTC that lie wholly in a span, the end exclusive; none of them when both are equal."""
    first = (start + timedelta(days=1) - timedelta(microseconds=1)).date()
    return first, max(first, end.date())
