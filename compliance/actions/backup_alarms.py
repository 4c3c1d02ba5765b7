"""Tells of backups and drills that are overdue."""

from datetime import timedelta

from django.utils import timezone

from compliance import announcing
from compliance import selectors_backups as selectors
from compliance.announcing import Announcement
from compliance.contracts import Actor
from compliance.models import AuditEvent


def tell(*, by: Actor) -> int:
    """Announces what is overdue, and closes what is not any more; returns how many are.

    An installation that is younger than the time in question is not late with anything yet.
    """
    first = AuditEvent.objects.order_by("id").first()
    age = timezone.now() - first.occurred_at if first else timedelta(0)
    late_backup = selectors.is_backup_overdue() and age > selectors.BACKUP_OVERDUE_AFTER
    late_drill = selectors.is_drill_overdue() and age > selectors.DRILL_OVERDUE_AFTER
    _say("backup_overdue", "backup", late_backup, "The last good backup is older than 26 hours, or there is none.")
    _say("drill_overdue", "restore_drill", late_drill, "The last good restore drill is older than 14 days.")
    return late_backup + late_drill


def _say(kind: str, subject: str, is_late: bool, label: str) -> None:
    if is_late:
        announcing.announce(Announcement(kind=kind, tenant_id=None, subject=subject, label=label))
    else:
        announcing.is_over(kind=kind, tenant_id=None, subject=subject)
