"""Where packs lie: in clear, readable by this user only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from compliance.exports.files import folder
from compliance.exports.sealed import Replacing

PIECE = 1 << 16


def path_of(public_id: UUID) -> Path:
    """The file of a pack."""
    return folder() / "packs" / f"{public_id}.zip"


@contextmanager
def writing(public_id: UUID) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file, which appears when it is complete; and a path beside it for what is in between. What a process that
    died has left of the same pack is deleted first."""
    path = path_of(public_id)
    drop_parts(public_id)
    with Replacing(path) as out:
        yield out, path.with_name(f".{path.name}.{uuid4().hex}.spool")


def drop(public_id: UUID) -> None:
    """Deletes everything of a pack."""
    drop_parts(public_id)
    path_of(public_id).unlink(missing_ok=True)


def drop_parts(public_id: UUID) -> None:
    """Deletes what was not finished."""
    for left in path_of(public_id).parent.glob(f".{public_id}.zip.*"):
        left.unlink(missing_ok=True)


def pieces(public_id: UUID) -> Iterator[bytes]:
    """The bytes of a file."""
    with path_of(public_id).open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
