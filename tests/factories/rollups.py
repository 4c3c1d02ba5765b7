"""What records add up to, for tests that write records by themselves."""

from datetime import timedelta

from django.db.models.functions import TruncDate

from billing import partitions
from billing.actions import rollups
from billing.models import UsageRecord
from tests.factories import THE_SYSTEM

_DAY = timedelta(days=1)


def added_up() -> None:
    """Counts every record, and for the tenants' own days those beside it, as moving them would have."""
    found = UsageRecord.objects.order_by().values_list(TruncDate("at"), flat=True).distinct()
    days = {day + n * _DAY for day in found for n in (-1, 0, 1)}
    partitions.ensure({day + n * _DAY for day in days for n in (-1, 0, 1)})
    for day in sorted(days):
        rollups.rebuild(start=day, end=day + _DAY, by=THE_SYSTEM)
