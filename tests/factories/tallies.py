"""Counts of the minute, which nothing but their writer may change."""

from datetime import datetime

from django.db import transaction

from compliance import guard
from compliance.models import AuditTally

ONCE = next(each for each in AuditTally._meta.constraints if each.name == "audit_tally_once").fields  # type: ignore[attr-defined]


def no_tallies() -> None:
    """Removes what other tests left."""
    with transaction.atomic(), guard.lifted("count"):
        AuditTally.objects.all().delete()


def counted_at(minute: datetime) -> None:
    """Has all that is counted be of that minute; what was of several becomes one."""
    rows: dict[tuple[object, ...], AuditTally] = {}
    for row in AuditTally.objects.all():
        row.minute = minute
        same = rows.setdefault(tuple(getattr(row, name) for name in ONCE), row)
        same.count += row.count if same is not row else 0
    no_tallies()
    AuditTally.objects.bulk_create(rows.values())
