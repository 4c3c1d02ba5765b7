"""Writes an export: a zip of JSON Lines per store, a page to read, and a signed list of it all."""

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.template.loader import render_to_string

from compliance import unreadable

SHOWN = 200
"""Records of a store that the page shows; the files have all of them."""
KIND = "subject_export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One store's share: how it is called, what people are told about it, and its lines."""

    name: str
    title: str
    why: str
    how_long: str
    lines: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the whole is about. Everything here is for the person who reads it."""

    right: str
    tenant: str
    controller: str
    surrogate: str
    request_id: str
    made_on: str
    recipients: tuple[str, ...]
    has_page: bool


@dataclass(slots=True)
class _File:
    """One file of the archive, as the manifest lists it."""

    name: str
    records: int | None = None
    unreadable: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def as_json(self) -> dict[str, Any]:
        listed: dict[str, Any] = {"name": self.name, "bytes": self.size, "sha256": self.sha256.hexdigest()}
        if self.unreadable:
            listed["unreadable"] = self.unreadable
        return listed if self.records is None else {**listed, "records": self.records}


@dataclass(slots=True)
class _Shown:
    """What the page shows of one store."""

    part: Part
    file: _File
    records: list[list[tuple[str, str]]] = field(default_factory=list)

    @property
    def more(self) -> int:
        return (self.file.records or 0) - len(self.records)


class Hashed:
    """Counts and hashes what is written to `out`. Not seekable."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self._out.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""


def write(
    out: Any, *, about: About, parts: Iterable[Part], sign: Callable[[dict[str, Any]], dict[str, Any]]
) -> tuple[dict[str, Any], str, int]:
    """Writes the archive to `out`; returns the signed manifest, the archive's SHA-256 and how many records it has."""
    hashed = Hashed(out)
    with zipfile.ZipFile(hashed, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:  # type: ignore[call-overload]
        shown = [_write_part(archive, part, about) for part in parts]
        files = [each.file for each in shown]
        if about.has_page:
            files.append(_write_text(archive, "index.html", page(about, shown)))
        manifest = sign(_manifest(about, files))
        _write_text(archive, "manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2).decode())
    return manifest, hashed.sha256.hexdigest(), sum(file.records or 0 for file in files)


def page(about: About, shown: list[_Shown]) -> str:
    """The export as a page that needs nothing else, not even a network."""
    return render_to_string("compliance/requests_export.html", {"about": about, "stores": shown})


def _write_part(archive: zipfile.ZipFile, part: Part, about: About) -> _Shown:
    file = _File(f"records/{part.name}.jsonl", records=0)
    shown = _Shown(part, file)
    with archive.open(file.name, "w", force_zip64=True) as out:
        for line in part.lines():
            _put(out, file, line + b"\n")
            file.records = (file.records or 0) + 1
            file.unreadable += _is_unreadable(line)
            if about.has_page and len(shown.records) < SHOWN:
                shown.records.append(_readable(line))
    return shown


def _is_unreadable(line: bytes) -> bool:
    return unreadable.PROBLEM.encode() in line and unreadable.is_so(orjson.loads(line))


def _write_text(archive: zipfile.ZipFile, name: str, text: str) -> _File:
    file = _File(name)
    with archive.open(name, "w") as out:
        _put(out, file, text.encode("utf-8", "surrogatepass"))
    return file


def _put(out: Any, file: _File, data: bytes) -> None:
    out.write(data)
    file.sha256.update(data)
    file.size += len(data)


def _readable(line: bytes) -> list[tuple[str, str]]:
    """A record's fields in words: names without underscores, nested values as indented JSON, empty ones left out."""
    record = orjson.loads(line)
    return [
        (name.replace("_", " "), value if isinstance(value, str) else _indented(value))
        for name, value in record.items()
        if value not in (None, "", [], {})
    ]


def _indented(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _manifest(about: About, files: list[_File]) -> dict[str, Any]:
    return {
        "request_id": about.request_id,
        "right": about.right,
        "tenant": about.tenant,
        "surrogate": about.surrogate,
        "made_on": about.made_on,
        "files": [file.as_json() for file in files],
    }
