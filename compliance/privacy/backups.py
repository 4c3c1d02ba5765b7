"""Backups and restore drills."""

from compliance.models import BackupRun, RestoreDrill
from compliance.privacy.common import NOT_REMOVED
from compliance.registry import Class
from compliance.registry import classified as of
from compliance.stores import table

BACKUPS = (
    table(
        BackupRun,
        "Backups made",
        Class.AUDIT,
        of(
            nothing="id label part state place bytes manifest error canary erased_canary started_at made_at"
            " finished_at",
            staff="started_by",
        ),
        why="Which backups there are, and that they were made.",
        until=NOT_REMOVED,
    ),
    table(
        RestoreDrill,
        "Restore drills",
        Class.AUDIT,
        of(
            nothing="id state data_label keys_label checks problem rto_s rpo_s restored_bytes started_at finished_at",
            staff="started_by",
        ),
        why="Shows that backups can be restored, how long that takes, and how much would be lost.",
        until=NOT_REMOVED,
    ),
)
