"""What long work is under way, as far as one can see from here."""

from datetime import datetime, timedelta

from django.utils import timezone

from compliance.models import AuditEvent, JobRun
from compliance.processes import has_ended

DEAD_AFTER = timedelta(seconds=60)
"""A run that has told nothing for so long is dead, wherever it was. Call `Progress.at` more often than that."""
BACKUP, BACKUP_REQUESTED = "backup", "backup.requested"
TAKEN_UP_WITHIN = timedelta(minutes=2)
"""So long after somebody asked for a backup others count on a worker to begin with it."""


def job(kind: str) -> JobRun | None:
    """The run of that kind that lives."""
    now, found = timezone.now(), JobRun.objects.filter(kind=kind, state=JobRun.State.RUNNING)
    return next((run for run in found if not is_dead(run, at=now)), None)


def is_backup_coming() -> bool:
    """Whether a backup is being made, or was asked for just now and no worker has begun with it."""
    if job(BACKUP):
        return True
    asked = AuditEvent.objects.filter(action=BACKUP_REQUESTED).order_by("-id").first()
    if asked is None or timezone.now() - asked.occurred_at > TAKEN_UP_WITHIN:
        return False
    return not JobRun.objects.filter(kind=BACKUP, started_at__gte=asked.occurred_at).exists()


def is_dead(run: JobRun, *, at: datetime) -> bool:
    """Silent for too long; or a process of this machine that is no more."""
    return at - run.seen_at > DEAD_AFTER or has_ended(run.process)
