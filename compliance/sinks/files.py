"""Checkpoints in files: one for each log, a line of JSON for each checkpoint, only ever appended to."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from compliance.sinks import Held, SinkUnavailable

_TAIL_BYTES = 64 * 1024


class Files:
    """A folder. Put it where the database's administrators cannot write, or on a medium that only appends."""

    name = "files"

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)

    def put(self, origin: str, size: int, note: str) -> None:
        """Appends, and returns once it is on the disk."""
        line = json.dumps({"origin": origin, "size": size, "note": note}, ensure_ascii=False).encode() + b"\n"
        path = self._path(origin)
        try:
            is_new = not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                tail = self._tail(file.fileno())
                if line in tail.splitlines(keepends=True):
                    return
                # What a crash has left unfinished keeps a line of its own.
                file.write(line if not tail or tail.endswith(b"\n") else b"\n" + line)
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                _sync(path.parent)
        except OSError as error:
            raise SinkUnavailable(f"{self.name}: {error.strerror}") from error

    def latest(self, origin: str) -> Held | None:
        self._look()
        try:
            with self._path(origin).open("rb") as file:
                lines = self._tail(file.fileno()).splitlines()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SinkUnavailable(f"{self.name}: {error.strerror}") from error
        return next(filter(None, map(self._held, reversed(lines))), None)

    def all(self, origin: str | None = None) -> Iterator[Held]:
        self._look()
        paths = [self._path(origin)] if origin else sorted(self._folder.rglob("*.jsonl"))
        for path in paths:
            yield from self._in(path)

    def _look(self) -> None:
        """A folder that is not there holds nothing because it is not mounted, or was removed."""
        if not self._folder.is_dir():
            raise SinkUnavailable(
                f"{self.name}: there is no folder AUDIT_FILES_DIR; mount it, or make an empty one if it is lost"
            )

    def _in(self, path: Path) -> Iterator[Held]:
        try:
            with path.open("rb") as file:
                for line in file:
                    if held := self._held(line):
                        yield held
        except FileNotFoundError:
            return
        except OSError as error:
            raise SinkUnavailable(f"{self.name}: {error.strerror}") from error

    def _held(self, line: bytes) -> Held | None:
        try:
            row = json.loads(line)
            return Held(self.name, str(row["origin"]), int(row["size"]), str(row["note"]))
        except (ValueError, KeyError, TypeError):
            return None  # cut off by a crash; it was written again behind

    def _path(self, origin: str) -> Path:
        return self._folder / f"{origin}.jsonl"

    @staticmethod
    def _tail(descriptor: int) -> bytes:
        end = os.fstat(descriptor).st_size
        return os.pread(descriptor, _TAIL_BYTES, max(0, end - _TAIL_BYTES))


def _sync(folder: Path) -> None:
    """Makes a new file's name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
