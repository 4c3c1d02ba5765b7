"""The ledger of erasures, as files that no restore of a database takes back: one line of JSON for each erasure.

Each entry's hash covers the one before it, so a line that was changed, dropped or added in between shows. The files
hold surrogates, keyed hashes and fingerprints of keys; never an external id. After a restore they are replayed
(`manage.py replay_erasures`), and until then nothing is decrypted: see `compliance/erasure_gate.py`.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings

from compliance.errors import LedgerBroken, LedgerUnreachable

NOTHING = bytes(32)
"""What stands for the entry before the first one."""
TAIL_BYTES = 1 << 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One erasure. `surrogate` is empty for a whole tenant; hashes and fingerprints are in hex."""

    number: int
    erasure_id: UUID
    tenant_id: int
    surrogate: str
    lookup: str
    successor: str
    key_ids: tuple[str, ...]
    fingerprints: tuple[str, ...]
    recorded_at: datetime
    entry_hash: str = ""

    def chained_to(self, previous: "Entry | None") -> "Entry":
        """The same entry with the hash that it has behind `previous`."""
        before = bytes.fromhex(previous.entry_hash) if previous else NOTHING
        return Entry(**{**_values(self), "entry_hash": hashlib.sha256(before + self.canonical()).hexdigest()})

    def canonical(self) -> bytes:
        """Everything but the hash, as JSON with sorted keys and without spaces: what the hash covers."""
        return _json({name: value for name, value in self.plain().items() if name != "entry_hash"})

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "erasure_id": str(self.erasure_id), "recorded_at": self.recorded_at.isoformat()}

    def line(self) -> bytes:
        return _json(self.plain()) + b"\n"


def entry_of(values: dict[str, Any]) -> Entry:
    """The entry that `Entry.plain` made `values` of.

    Raises:
        KeyError, TypeError, ValueError: something is missing, or is not what it should be.
    """
    lists = {name: tuple(str(each) for each in values[name]) for name in ("key_ids", "fingerprints")}
    own = {"erasure_id": UUID(values["erasure_id"]), "recorded_at": datetime.fromisoformat(values["recorded_at"])}
    return Entry(**{**values, **lists, **own})


def paths() -> tuple[Path, ...]:
    """The files, of which each holds the whole ledger."""
    return tuple(Path(path) for path in settings.ERASURE_LEDGER)


def read() -> list[Entry]:
    """All entries, checked. The longest file counts: one that was added lately, or was away, is filled up later.

    Raises:
        LedgerUnreachable: a file cannot be read.
        LedgerBroken: a line was changed or is missing, or two files differ.
    """
    found = sorted((_read(path) for path in paths()), key=len)
    longest = found[-1] if found else []
    for path, entries in zip(paths(), map(_read, paths()), strict=True):
        if entries and entries[-1] != longest[len(entries) - 1]:
            raise LedgerBroken(f"{path} tells another story than the longest ledger file. Bring back its true copy.")
    return longest


def head() -> Entry | None:
    """The last entry of the longest file, read from its end; the chain is not checked.

    Raises:
        LedgerUnreachable, LedgerBroken: as `read`.
    """
    last = [entry for path in paths() if (entry := _last(path))]
    return max(last, key=lambda entry: entry.number, default=None)


def after(number: int) -> list[Entry]:
    """The entries behind that one."""
    last = head()
    return read()[number:] if last and last.number > number else []


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Keeps every other process from writing.

    Raises:
        LedgerUnreachable: the folder cannot be written.
    """
    lock = paths()[0].with_suffix(".lock")
    with _reaching(lock):
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append(entry: Entry, *, after: Entry | None) -> None:
    """Adds one entry to every file; call it in `locked`. On disk when it returns.

    Raises:
        LedgerUnreachable: a file cannot be written.
        LedgerBroken: a file holds something else.
    """
    if any(_last(path) != after for path in paths()):
        write(read())
    for path in paths():
        with _reaching(path):
            _fill_up(path, (entry,))


def write(entries: Sequence[Entry]) -> None:
    """Makes every file hold `entries`, which begin with what is there; call it in `locked`. On disk when it returns.

    Raises:
        LedgerUnreachable: a file cannot be written.
        LedgerBroken: a file holds something else.
    """
    for path in paths():
        known = _read(path)
        if list(entries[: len(known)]) != known:
            raise LedgerBroken(f"{path} holds other entries than the ledger. Bring back its true copy.")
        with _reaching(path):
            _fill_up(path, entries[len(known) :])


def _fill_up(path: Path, entries: Sequence[Entry]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as file:
        _drop_cut_off_line(file)
        file.write(b"".join(entry.line() for entry in entries))
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _drop_cut_off_line(file: BinaryIO) -> None:
    """Drops what a crash left of a line: its erasure was never reported as recorded. Leaves the file at its end."""
    size = file.seek(0, os.SEEK_END)
    if size and (file.seek(size - 1), file.read(1))[1] != b"\n":
        file.seek(0)
        size = _whole_bytes(file.read())
        file.truncate(size)
    file.seek(size)


def _whole_bytes(content: bytes) -> int:
    return content.rfind(b"\n") + 1


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> list[Entry]:
    with _reaching(path):
        content = path.read_bytes() if path.exists() else b""
    entries: list[Entry] = []
    for line in content[: _whole_bytes(content)].splitlines():
        entry = _parsed(line, path)
        previous = entries[-1] if entries else None
        if entry.number != len(entries) + 1 or entry != entry.chained_to(previous):
            raise LedgerBroken(f"{path} is broken at line {len(entries) + 1}. Bring back its true copy.")
        entries.append(entry)
    return entries


def _last(path: Path) -> Entry | None:
    with _reaching(path):
        if not path.exists():
            return None
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - TAIL_BYTES))
            tail = file.read()
    lines = tail[: _whole_bytes(tail)].splitlines()
    if size > TAIL_BYTES and len(lines) < 2:  # one line longer than what was read
        return _read(path)[-1]
    return _parsed(lines[-1], path) if lines else None


def _parsed(line: bytes, path: Path) -> Entry:
    try:
        return entry_of(json.loads(line))
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerBroken(f"{path} has a line that is no entry. Bring back its true copy.") from error


@contextlib.contextmanager
def _reaching(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerUnreachable(f"The ledger of erasures cannot be reached: {path}: {error.strerror}.") from error


def _values(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
