"""Settles in restored databases what was under way when their backup was made."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from compliance.actions import backups, drills
from compliance.backups.restoring import Chosen
from compliance.contracts import Actor
from compliance.models import BackupRun, JobRun

CUT_OFF = "It was under way when the backup was made that this database was restored from."


@dataclass(frozen=True, slots=True)
class Settled:
    """What a restore has changed in what it restored."""

    ended: int
    """Jobs and backups that were called running."""


@transaction.atomic
def settle(*, chosen: Chosen, by: Actor) -> Settled:
    """Ends what is called running, which nobody goes on with, and puts the backup on record that was restored: a dump
    knows its own backup only as being made. May be repeated.
    """
    for manifest in (chosen.data, chosen.keys):
        rows = BackupRun.objects.filter(part=manifest.part.name, label=manifest.label)
        if not rows.filter(state=BackupRun.State.DONE).exists():
            backups.adopt(manifest=manifest, by=by)
    half = list(BackupRun.objects.filter(state=BackupRun.State.RUNNING))
    for row in half:
        backups.cut_off(row=row, by=by, error=CUT_OFF)
    drills.cut_off(by=by, problem=CUT_OFF, is_told=False)
    jobs = JobRun.objects.filter(state=JobRun.State.RUNNING)
    ended = jobs.update(state=JobRun.State.FAILED, error=CUT_OFF, finished_at=timezone.now())
    return Settled(ended + len(half))
