"""Files that are never on disk in clear: written in pieces, each encrypted under a person's key and bound to its place.

A piece knows which file it is of, its number, and whether it is the last one; so pieces that were dropped, repeated,
exchanged or cut off at the end do not open. Layout: magic (4 bytes), then for each piece its length (4 bytes,
big-endian) and the sealed record.
"""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from compliance.envelope import Place, open_record, seal_record
from compliance.errors import DecryptionFailed
from compliance.keyring.store import DataKey
from compliance.registry import Person

MAGIC = b"PcX1"
PIECE = 2**20
RECORD_TYPE = "export"
PURPOSE = "subject_requests"


class Writer(io.RawIOBase):
    """Takes plaintext and writes pieces to `out`. Not seekable: a zip archive can be written to it all the same."""

    def __init__(self, out: BinaryIO, *, person: Person, file_id: str, key: DataKey) -> None:
        self._out, self._person, self._file_id, self._key = out, person, file_id, key
        self._waiting = bytearray()
        self._number = 0
        out.write(MAGIC)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._waiting += data
        while len(self._waiting) > PIECE:
            self._put(bytes(self._waiting[:PIECE]), is_last=False)
            del self._waiting[:PIECE]
        return len(data)

    def finish(self) -> None:
        """Writes what waits as the last piece; without it the file does not open."""
        self._put(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _put(self, plaintext: bytes, *, is_last: bool) -> None:
        place = _place(self._person, self._file_id, self._number, is_last=is_last)
        sealed = seal_record(plaintext, key=self._key.key, key_id=self._key.id, place=place)
        self._out.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


class Replacing:
    """A file that appears under its name when it is complete, and never otherwise; two writers cannot mix."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = path.with_name(f".{path.name}.{secrets.token_hex(8)}")

    def __enter__(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.fdopen(os.open(self._own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        if kind is None:
            os.replace(self._own, self._path)
        else:
            self._own.unlink(missing_ok=True)


@contextmanager
def writing(path: Path, *, person: Person, file_id: str, key: DataKey) -> Iterator[Writer]:
    """A new file, which appears when everything is written."""
    with Replacing(path) as out:
        writer = Writer(out, person=person, file_id=file_id, key=key)
        yield writer
        writer.finish()


def pieces(path: Path, *, person: Person, file_id: str, key: DataKey) -> Iterator[bytes]:
    """The plaintext of a file, piece by piece.

    Raises:
        DecryptionFailed: it was altered or cut off, or is another file or another person's.
        FileNotFoundError: it is not there.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise DecryptionFailed("this is no sealed file")
        sealed, number = _next(file), 0
        while sealed is not None:
            following = _next(file)
            place = _place(person, file_id, number, is_last=following is None)
            yield open_record(sealed, key=key.key, place=place)
            sealed, number = following, number + 1
        if not number:
            raise DecryptionFailed("the file was cut off")


def lines(path: Path, *, person: Person, file_id: str, key: DataKey) -> Iterator[bytes]:
    """The lines of a file, without their ends."""
    rest = b""
    for piece in pieces(path, person=person, file_id=file_id, key=key):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _next(file: BinaryIO) -> bytes | None:
    length = file.read(4)
    if not length:
        return None
    sealed = file.read(int.from_bytes(length, "big"))
    if len(length) < 4 or len(sealed) < int.from_bytes(length, "big"):
        raise DecryptionFailed("the file was cut off")
    return sealed


def _place(person: Person, file_id: str, number: int, *, is_last: bool) -> Place:
    record_id = f"{file_id}/{number}/{'last' if is_last else 'more'}"
    return Place(person.tenant_id, person.surrogate, RECORD_TYPE, record_id, PURPOSE)
