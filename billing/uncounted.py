"""Which usage records rollups do not know of: those from before there were any."""

from datetime import UTC, date, timedelta

from django.db.models import Min
from django.utils import timezone

from billing.models import UsageHour, UsageRecord

_DAY = timedelta(days=1)


def span() -> tuple[date, date] | None:
    """The days (start, and end exclusive) of the usage records that are older than the first rollup, if there are any.

    To be rebuilt with `newest_first`: whenever that is interrupted, what is left is found again.
    """
    oldest = UsageRecord.objects.aggregate(at=Min("at"))["at"]
    first = UsageHour.objects.aggregate(hour=Min("hour"))["hour"]
    if oldest is None or (first is not None and first <= oldest):
        return None
    # The first day was counted in part; so was the one after it, where a tenant's clocks are ahead of UTC.
    return oldest.astimezone(UTC).date(), (first or timezone.now()).astimezone(UTC).date() + 2 * _DAY
