"""Writes a bundle. The events are read once, into a file beside it, and rendered from there: so all formats tell the
same, whatever is redacted or pruned meanwhile, and memory does not grow with the log."""

import gzip
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from compliance.bundles.source import Sealed, Window
from compliance.evidence.formats import cef, ocsf
from compliance.evidence.formats import csv as as_csv
from compliance.evidence.formats.rows import Row

FORMAT, KIND = "portcullis-audit-bundle/1", "audit_bundle"
HERE = Path(__file__).parent
MOST_SUBJECTS = 10_000
LEVEL = 4
HEX_DIGITS = 64
PIECE = 1 << 20

Tell = Callable[[int, str], None]
"""How far it is: per cent, and what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the bundle is of.

    Args:
        size, root: of the checkpoint, whose signed note is `checkpoint`.
        filters: empty for the whole log.
        warning: what was found of the log, when it was altered; empty when nothing was.
        withheld: names of fields that whoever asked is not told of staff's actions.
    """

    export: str
    origin: str
    tenant_id: int | None
    size: int
    root: str
    checkpoint: str
    filters: dict[str, str]
    asked_by: str
    made_at: datetime
    warning: str = ""
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What proves it: hashes, the lowest first. Called for exports of a part only."""

    inclusion: Callable[[int], list[bytes]]
    consistency: Callable[[], Iterable[tuple[int, bytes, list[bytes]]]]


@dataclass(slots=True)
class Made:
    """What came of it. `subjects` is None where there were too many to list."""

    events: int = 0
    redacted: int = 0
    pruned: int = 0
    pruned_to: int = 0
    subjects: set[str] | None = field(default_factory=set)
    sha256: str = ""
    bytes: int = 0
    manifest: dict[str, Any] = field(default_factory=dict)


def write(
    out: BinaryIO,
    spool: Path,
    *,
    about: About,
    windows: Iterable[Window],
    proofs: Proofs,
    sign: Callable[[dict[str, Any]], dict[str, Any]],
    tell: Tell,
) -> Made:
    """Writes the bundle to `out`, a new file that can be read and written; `spool` is a path for what is in between."""
    made = Made()
    removed = spool.with_suffix(".pruned")
    try:
        _collect(spool, removed, about, windows, made, tell)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
            files = list(_members(archive, spool, removed, about, made, proofs, tell))
            made.manifest = sign(_manifest(about, made, files))
            _put(archive, "manifest.json", [_form(made.manifest)])
            archive.comment = b"0" * HEX_DIGITS
        _seal(out, made)
    finally:
        spool.unlink(missing_ok=True)
        removed.unlink(missing_ok=True)
    return made


def dumps(value: Any) -> bytes:
    """JSON on one line; numbers of any length."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# --- reading -----------------------------------------------------------------------------------------------------


def _collect(spool: Path, removed: Path, about: About, windows: Iterable[Window], made: Made, tell: Tell) -> None:
    with _compressed(spool) as lines, _compressed(removed) as gone:
        for window in windows:
            for event in window.events:
                lines.write(dumps(_leaf(event)) + b"\n")
                made.redacted += bool(event.redacted)
                _name(made, event)
            for index, leaf in window.pruned:
                gone.write(dumps({"index": index, "leaf": leaf}) + b"\n")
                made.pruned_to = index + 1
            made.events += len(window.events)
            made.pruned += len(window.pruned)
            tell(40 * window.until // max(about.size, 1), f"reading: {window.until:,} of {about.size:,} events")


def _leaf(event: Sealed) -> dict[str, Any]:
    return {
        "index": event.index,
        "leaf": event.leaf,
        "fields": event.fields,
        "salts": event.salts,
        "redacted": event.redacted,
    }


def _name(made: Made, event: Sealed) -> None:
    if made.subjects is not None:
        made.subjects.update(event.subjects)
        if len(made.subjects) > MOST_SUBJECTS:
            made.subjects = None


@contextmanager
def _compressed(path: Path) -> Iterator[gzip.GzipFile]:
    """A new file, readable by this user only."""
    with (
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as out,
    ):
        yield out


# --- writing -----------------------------------------------------------------------------------------------------


def _members(
    archive: zipfile.ZipFile, spool: Path, removed: Path, about: About, made: Made, proofs: Proofs, tell: Tell
) -> Iterator[dict[str, Any]]:
    def rows(percent: int, what: str) -> Iterator[dict[str, Any]]:
        for place, row in enumerate(_rows(spool)):
            if place % 1000 == 0:
                tell(percent + 12 * place // max(made.events, 1), f"{what}: {place:,} of {made.events:,} events")
            yield row

    origin = about.origin
    yield _put(archive, "README", [(HERE / "README.txt").read_bytes()])
    yield _put(archive, "verify.py", [(HERE / "verify.py").read_bytes()])
    yield _put(archive, "checkpoint", [about.checkpoint.encode()])
    yield _put(archive, "leaves.jsonl", (dumps(row) + b"\n" for row in rows(40, "leaves")))
    yield _put(archive, "events.jsonl", (dumps(ocsf.event(_row(row, origin))) + b"\n" for row in rows(52, "OCSF")))
    yield _put(archive, "events.csv", _csv(_row(row, origin) for row in rows(64, "CSV")))
    yield _put(archive, "events.cef", (f"{cef.event(_row(row, origin))}\n".encode() for row in rows(76, "CEF")))
    if about.filters:
        indices = (row["index"] for row in rows(88, "proofs"))
        yield _put(archive, "proofs/inclusion.jsonl", (_proof(index, proofs.inclusion(index)) for index in indices))
        yield _put(archive, "proofs/consistency.jsonl", (_grown(*each) for each in proofs.consistency()))
    elif made.pruned:
        with gzip.open(removed) as lines:
            yield _put(archive, "proofs/pruned.jsonl", lines)


def _rows(spool: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(spool) as lines:
        for line in lines:
            yield json.loads(line)


def _row(row: dict[str, Any], origin: str) -> Row:
    return Row(
        fields=row["fields"], origin=origin, index=row["index"], leaf=row["leaf"], redacted=tuple(row["redacted"])
    )


def _csv(rows: Iterable[Row]) -> Iterator[bytes]:
    yield as_csv.header().encode()
    for row in rows:
        yield as_csv.event(row).encode()


def _proof(index: int, hashes: list[bytes]) -> bytes:
    return dumps({"index": index, "hashes": [each.hex() for each in hashes]}) + b"\n"


def _grown(size: int, root: bytes, hashes: list[bytes]) -> bytes:
    return dumps({"size": size, "root": root.hex(), "hashes": [each.hex() for each in hashes]}) + b"\n"


def _put(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
    """Writes one file; returns what the manifest says of it."""
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as out:
        for piece in pieces:
            out.write(piece)
            digest.update(piece)
            size += len(piece)
    return {"name": name, "bytes": size, "sha256": digest.hexdigest()}


def _manifest(about: About, made: Made, files: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "export": about.export,
        "origin": about.origin,
        "tenant_id": about.tenant_id,
        "tree_size": about.size,
        "root": about.root,
        "complete": not about.filters,
        "filters": about.filters,
        "pruned_to": made.pruned_to,
        "withheld": [*about.withheld],
        "counts": {"events": made.events, "pruned": made.pruned, "redacted": made.redacted},
        "asked_by": about.asked_by,
        "made_at": about.made_at.isoformat(),
        **({"warning": about.warning} if about.warning else {}),
        "files": files,
    }


def _form(manifest: dict[str, Any]) -> bytes:
    """The one form of a manifest that the verifier takes."""
    return (json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def _seal(out: BinaryIO, made: Made) -> None:
    """Writes the hash of all bytes before it into the comment at the end of the zip file, so that bytes which belong to
    no file in it are vouched for, too."""
    out.flush()
    made.bytes = out.seek(0, os.SEEK_END)
    out.seek(0)
    digest, left = hashlib.sha256(), made.bytes - HEX_DIGITS
    while left:
        piece = out.read(min(PIECE, left))
        digest.update(piece)
        left -= len(piece)
    said = digest.hexdigest().encode()
    out.seek(made.bytes - HEX_DIGITS)
    out.write(said)
    out.flush()
    digest.update(said)
    made.sha256 = digest.hexdigest()
