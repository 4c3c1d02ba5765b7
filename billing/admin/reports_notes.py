"""What a report does not include, in words: so that nobody takes two true figures for one that is wrong."""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from django.db.models import Sum

from billing import money
from billing.models import Adjustment
from billing.report_params import Asked
from billing.reports import Dimension
from compliance.admin.links import list_url

UNATTRIBUTED = {
    Dimension.END_USER: "Refused requests are not counted by end user; split by key or application to see them.",
    Dimension.TAG: "Refused requests are not counted by tag; split by key or application to see them.",
}


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, and where to read on; empty where there is nothing."""

    words: str
    url: str = ""


def of(asked: Asked, zone: ZoneInfo) -> list[Note]:
    """Sentences under the table, some with where to read on."""
    notes = [Note(UNATTRIBUTED[asked.by])] if asked.by in UNATTRIBUTED else []
    adjusted_nano = _adjusted_nano(asked, zone) if not asked.filters else None
    if adjusted_nano is not None:
        words = f"Adjustments made in these days: {money.in_full(adjusted_nano)}, not included above."
        notes.append(Note(words, list_url("billing_adjustment")))
    return notes


def _adjusted_nano(asked: Asked, zone: ZoneInfo) -> int | None:
    """What was adjusted in the span, of the tenant or of all; None where nothing was."""
    query = asked.query
    start, end = (datetime.combine(day, time(), zone) for day in (query.start, query.end))
    made = Adjustment.objects.filter(created_at__gte=start, created_at__lt=end)
    if query.tenant_id is not None:
        made = made.filter(tenant_id=query.tenant_id)
    nano: int | None = made.aggregate(nano=Sum("amount_nano"))["nano"]
    return nano
