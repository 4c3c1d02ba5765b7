"""Where exports lie, and how their files are called."""

import shutil
from pathlib import Path
from uuid import UUID

from django.conf import settings


def folder() -> Path:
    """Of all exports. Those of people are encrypted under their keys; those of tenants that leave, in the folder
    `tenants` here, are in clear and readable by this user only."""
    return Path(settings.EXPORTS_DIR)


def part(request_id: UUID, store: str) -> Path:
    """What one store had, until the whole is assembled."""
    return folder() / f"{request_id}.parts" / f"{store}.sealed"


def whole(request_id: UUID) -> Path:
    """The archive."""
    return folder() / f"{request_id}.zip.sealed"


def is_any(request_id: UUID) -> bool:
    """Whether anything of an export is there, finished or not."""
    return whole(request_id).exists() or part(request_id, "any").parent.exists()


def drop_parts(request_id: UUID) -> None:
    shutil.rmtree(part(request_id, "any").parent, ignore_errors=True)


def drop(request_id: UUID) -> bool:
    """Deletes everything of an export; returns whether there was a file."""
    drop_parts(request_id)
    path = whole(request_id)
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there
