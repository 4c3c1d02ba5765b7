"""Where bundles lie: in clear, readable by this user only. See docs/adr/0023-audit-bundles.md for why."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from compliance.exports.files import folder


def path_of(public_id: UUID) -> Path:
    """The file of an export."""
    return folder() / "audit" / f"{public_id}.zip"


@contextmanager
def writing(public_id: UUID) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file, which appears under its name when it is complete, and never otherwise; and a path beside it for what
    is in between. What somebody who died has left of the same export is deleted first."""
    path = path_of(public_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    drop_parts(public_id)
    part = path.with_name(f"{public_id}.{uuid4().hex}.part")
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "rb+") as file:
            yield file, part.with_suffix(".spool")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def drop(public_id: UUID) -> bool:
    """Deletes everything of an export; returns whether there was a file."""
    drop_parts(public_id)
    path = path_of(public_id)
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there


def drop_parts(public_id: UUID) -> None:
    """Deletes what was not finished."""
    for left in path_of(public_id).parent.glob(f"{public_id}.*.*"):
        left.unlink(missing_ok=True)


def pieces(public_id: UUID, *, first: int = 0, last: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from `first` to `last`, both included; to its end where that is None."""
    with path_of(public_id).open("rb") as file:
        left = (os.fstat(file.fileno()).st_size if last is None else last + 1) - first
        file.seek(first)
        while left > 0 and (piece := file.read(min(left, 1 << 16))):
            yield piece
            left -= len(piece)
