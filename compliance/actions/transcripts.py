"""Keeps the partitions of transcripts ahead of what is written."""

from datetime import date, timedelta

import structlog
from django.db import OperationalError, connection, transaction
from django.utils import timezone

AHEAD = timedelta(days=2)

# The days on which content is due that is written from now until then, at the days that each tenant's policy says; and
# those of what the default partition took, as a policy was changed meanwhile.
_DUE = """
SELECT DISTINCT content_expires_on(policy.tenant_id, moment)
FROM compliance_contentpolicy AS policy, generate_series(%s::timestamptz, %s::timestamptz, '1 day') AS moment
WHERE policy.store
UNION SELECT expires_on FROM transcript_due_rest
"""

log = structlog.get_logger("compliance.transcripts")


def make_transcript_partitions() -> int:
    """Makes the partitions that will be needed and are not there; returns how many. Each in its own transaction."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [now, now + AHEAD])
        days = sorted(day for (day,) in cursor.fetchall() if day is not None)
    months = sorted({now.date(), (now + AHEAD).date()})
    made = [_make("make_transcript_partition", day) for day in days]
    made += [_make("make_decision_partition", day) for day in months]
    return sum(made)


def _make(function: str, day: date) -> bool:
    """Who writes or reads comes first: then the default partition takes what comes, and the next run tries again."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute(f"SELECT {function}(%s)", [day])
            return bool(cursor.fetchone()[0])
    except OperationalError as error:
        log.warning("a partition is not made yet", name=f"{function} {day}", error=type(error).__name__)
        return False
