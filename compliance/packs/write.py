"""Writes a pack: a zip with each section as CSV and JSON, a page to read, a verifier, and a signed list of it all."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.template.loader import render_to_string

from compliance.evidence.formats import csv as as_csv
from compliance.exports.archive import Hashed
from compliance.packs.page import Shown, counted
from compliance.packs.sections import Period, Section

FORMAT, KIND = "portcullis-evidence-pack/1", "evidence_pack"
HERE = Path(__file__).parent
HEX_DIGITS = 64

Tell = Callable[[int, int, str], None]
"""How far it is: sections done, of how many, and what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the pack is of."""

    pack: str
    framework: str
    framework_title: str
    period: Period
    asked_by: str
    made_at: datetime
    installation: str


@dataclass(slots=True)
class Made:
    """What came of it."""

    records: int = 0
    sha256: str = ""


@dataclass(slots=True)
class _File:
    name: str
    records: int | None = None
    bytes: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.name, "bytes": self.bytes, "sha256": self.sha256.hexdigest()}
        return told if self.records is None else {**told, "records": self.records}


def write(
    out: BinaryIO,
    spool: Path,
    *,
    about: About,
    sections: Sequence[Section],
    sign: Callable[[dict[str, Any]], dict[str, Any]],
    tell: Tell,
) -> Made:
    """Writes the pack to `out`, a new file; `spool` is a path for what is in between: rows are read once, so that both
    forms say the same, and memory does not grow with them."""
    made, files, shown = Made(), [], []
    sealed = _Sealed(out)
    try:
        with zipfile.ZipFile(sealed, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:  # type: ignore[call-overload]
            for at, section in enumerate(sections):
                tell(at, len(sections), section.title)
                told = _collect(section, about.period, spool, lambda: tell(at, len(sections), section.title))  # noqa: B023
                shown.append(told)
                made.records += told.count
                files += [_put(archive, f"{section.name}.csv", _csv(section, spool), told.count)]
                files += [_put(archive, f"{section.name}.json", _json(spool), told.count)]
            files.append(_put(archive, "index.html", [_page(about, shown)]))
            files += [_put(archive, name, [(HERE / name).read_bytes()]) for name in ("verify.py", "README.txt")]
            manifest = sign(_manifest(about, files))
            archive.comment = b"0" * HEX_DIGITS  # its place
            _put(archive, "manifest.json", [_form(manifest)])
    finally:
        spool.unlink(missing_ok=True)
    made.sha256 = sealed.finish()
    return made


class _Sealed:
    """Ends a zip file with the hash of all that is before, as its comment: the manifest tells of the files in it, this
    of every byte around them. Not seekable."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._before, self._held = Hashed(out), hashlib.sha256(), b""

    def write(self, data: bytes) -> int:
        self._held += data
        ready, self._held = self._held[:-HEX_DIGITS], self._held[-HEX_DIGITS:]
        self._before.update(ready)
        self._out.write(ready)
        return len(data)

    def flush(self) -> None:
        """What waits here waits for the end."""

    def finish(self) -> str:
        """Writes the comment; returns the SHA-256 of the whole file, in hex."""
        self._out.write(self._before.hexdigest().encode())
        return self._out.sha256.hexdigest()


def _collect(section: Section, period: Period, spool: Path, alive: Callable[[], None]) -> Shown:
    told = Shown(section)
    with spool.open("wb") as lines:
        for row in section.rows(period):
            if set(row) != set(section.columns):
                raise ValueError(f"a row of {section.name} has other columns than the section: {sorted(row)}")
            ordered = {name: row[name] for name in section.columns}
            lines.write(json.dumps(ordered, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
            told.add(ordered)
            if told.count % 1000 == 0:
                alive()
    return told


def _csv(section: Section, spool: Path) -> Iterator[bytes]:
    """Cells that no spreadsheet takes for a formula; nested values as JSON."""
    yield as_csv.line(section.columns).encode()
    for row in _rows(spool):
        cells = [as_csv.guarded(_text(row[name])) for name in section.columns]
        yield as_csv.line(cells).encode("utf-8", "replace")


def _json(spool: Path) -> Iterator[bytes]:
    yield b"["
    between = b"\n"
    with spool.open("rb") as lines:
        for line in lines:
            yield between + line.rstrip(b"\n")
            between = b",\n"
    yield b"\n]\n"


def _rows(spool: Path) -> Iterator[dict[str, Any]]:
    with spool.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def _page(about: About, shown: list[Shown]) -> bytes:
    context = {"about": about, "sections": shown, "states": counted(shown)}
    return render_to_string("compliance/pack.html", context).encode("utf-8", "replace")


def _put(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes], records: int | None = None) -> _File:
    file = _File(name, records)
    with archive.open(name, "w", force_zip64=True) as out:
        for piece in pieces:
            out.write(piece)
            file.sha256.update(piece)
            file.bytes += len(piece)
    return file


def _manifest(about: About, files: list[_File]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "pack": about.pack,
        "installation": about.installation,
        "framework": about.framework,
        "first_day": about.period.first.isoformat(),
        "last_day": about.period.last.isoformat(),
        "made_at": about.made_at.isoformat(),
        "asked_by": about.asked_by,
        "files": [file.as_json() for file in files],
    }


def _form(manifest: dict[str, Any]) -> bytes:
    """The one form of a manifest that the verifier takes."""
    return (json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def _text(value: Any) -> str:
    if value is None or value in ({}, []):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
