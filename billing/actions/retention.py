"""Drops usage records that are older than what is kept. Their rollups stay."""

from datetime import UTC, date, datetime, time

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from billing import partitions, rolling_up
from billing.models import DroppedMonth
from compliance import audit
from compliance.contracts import Actor, Target

# What a dropped month charged to each meter. A month may be dropped a second time, with records that came late.
KEEP_BALANCES = """
INSERT INTO billing_meterbalance AS balance (meter_id, before, cost_nano)
SELECT meter_id, %s, sum(cost_nano)
FROM billing_usagerecord CROSS JOIN LATERAL (SELECT DISTINCT unnest(charged)) AS meters (meter_id)
WHERE at >= %s AND at < %s
GROUP BY meter_id
ORDER BY meter_id
ON CONFLICT (meter_id, before) DO UPDATE SET cost_nano = balance.cost_nano + excluded.cost_nano
"""
KEEP_MONTH = """
INSERT INTO billing_droppedmonth AS dropped (month, requests, cost_nano)
SELECT %s, coalesce(sum(requests), 0), coalesce(sum(cost_nano), 0)
FROM billing_usagerecord WHERE at >= %s AND at < %s
ON CONFLICT (month) DO UPDATE SET
    requests = dropped.requests + excluded.requests,
    cost_nano = dropped.cost_nano + excluded.cost_nano,
    dropped_at = excluded.dropped_at
"""

log = structlog.get_logger()


def drop_old_usage(*, by: Actor) -> list[str]:
    """Drops the months (UTC) that lie more than USAGE_MONTHS_KEPT before this one, 0 meaning none; returns their names.

    Each in two short transactions. The first takes its records out of the usage table, and keeps what they charged to
    each meter; the second drops them. What a crash leaves in between, the next run drops. A month that somebody reads
    at that moment waits for the next run.
    """
    dropped = [_drop(name) for name in partitions.detached()]
    if not settings.USAGE_MONTHS_KEPT:
        return dropped
    today = timezone.now().astimezone(UTC).date()
    for month in partitions.before(partitions.back(today, settings.USAGE_MONTHS_KEPT)):
        try:
            name = _take_out(month, by)
        except OperationalError:
            log.warning("usage partition is in use; dropped at the next run", month=f"{month:%Y-%m}", exc_info=True)
            break
        dropped.append(_drop(name))
    return dropped


@transaction.atomic
def _take_out(month: date, by: Actor) -> str:
    """Detaches a month's partition. In its mover's stead, so that no record comes in behind the sums."""
    rolling_up.await_turn()
    start, end = (datetime.combine(day, time(), UTC) for day in (month, partitions.following(month)))
    with connection.cursor() as cursor:
        cursor.execute(KEEP_BALANCES, [partitions.following(month), start, end])
        cursor.execute(KEEP_MONTH, [month, start, end])
    whole = DroppedMonth.objects.get(month=month)
    audit.record(
        by=by,
        action="usage.dropped",
        target=Target(kind="usage", id=f"{month:%Y-%m}"),
        tenant_id=None,
        after={"requests": whole.requests, "cost_nano": whole.cost_nano, "months_kept": settings.USAGE_MONTHS_KEPT},
    )
    return partitions.detach(month)


@transaction.atomic
def _drop(name: str) -> str:
    partitions.drop(name)
    return name
