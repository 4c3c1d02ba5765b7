"""Reads that more than one door needs, about backups and drills."""

from datetime import datetime, timedelta

from django.utils import timezone

from compliance.models import BackupRun, RestoreDrill

BACKUP_OVERDUE_AFTER = timedelta(hours=26)
"""A day, and what a slow one takes."""
DRILL_OVERDUE_AFTER = timedelta(days=14)


def last_good(part: str) -> BackupRun | None:
    """The newest good backup of the data, or of the keys."""
    return BackupRun.objects.filter(part=part, state=BackupRun.State.DONE).order_by("-label").first()


def last_good_drill() -> RestoreDrill | None:
    return RestoreDrill.objects.filter(state=RestoreDrill.State.PASSED).first()


def oldest_needed() -> datetime | None:
    """When the older one of the last good backups of data and keys was made; None where one of them is missing."""
    found = [last_good(part) for part in BackupRun.Part.values]
    times = [run.made_at for run in found if run is not None and run.made_at is not None]
    return min(times) if len(times) == len(found) else None


def is_backup_overdue() -> bool:
    """Whether the last good backup is older than a day and a bit, or there is none."""
    since = oldest_needed()
    return since is None or timezone.now() - since > BACKUP_OVERDUE_AFTER


def is_drill_due() -> bool:
    """Whether there have been backups for so long that a drill should have passed."""
    first = BackupRun.objects.filter(state__in=(BackupRun.State.DONE, BackupRun.State.REMOVED)).order_by("id").first()
    return first is not None and timezone.now() - first.started_at > DRILL_OVERDUE_AFTER


def is_drill_overdue() -> bool:
    """Whether the last good drill is older than two weeks, or there is none."""
    last = last_good_drill()
    return last is None or timezone.now() - last.started_at > DRILL_OVERDUE_AFTER
