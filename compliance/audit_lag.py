"""How far the audit log's trees are behind."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Min
from django.utils import timezone

from compliance.models import AuditCheckpoint, AuditEvent, AuditPending

LATE = timedelta(minutes=5)
"""Events get their places each minute; what waits for so long waits for something."""
LOOKED_AT = 1000
"""Numbers follow times, but for events that were inserted by hand; so some more are looked at than the first."""
TIMES = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""No datetime can be what is outside of these; the verifier reports it."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Since when the oldest event waits for its place, and the oldest checkpoint for a sink; None: nothing is late."""

    event: datetime | None
    checkpoint: datetime | None


def behind() -> Behind:
    """What waits for longer than it should."""
    return Behind(_if_late(oldest_pending()), _if_late(_oldest_undelivered()))


def oldest_pending() -> datetime | None:
    """When the oldest event without a place happened."""
    waiting = list(AuditPending.objects.order_by("event_id").values_list("event_id", flat=True)[:LOOKED_AT])
    rows = AuditEvent.objects.filter(pk__in=waiting, occurred_at__range=TIMES)
    oldest: datetime | None = rows.aggregate(oldest=Min("occurred_at"))["oldest"]
    return oldest


def _oldest_undelivered() -> datetime | None:
    rows = AuditCheckpoint.objects.filter(delivered_at=None).order_by("id")
    return rows.values_list("signed_at", flat=True).first()


def _if_late(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and timezone.now() - moment > LATE else None
