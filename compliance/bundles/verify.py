#!/usr/bin/env python3
"""Verifies an exported audit log: a bundle, as a zip file or unpacked.

Needs Python 3.9 or newer and the package `cryptography`; no network, and nothing of the system that made the bundle.

    python verify.py bundle.zip --key KEY [--earlier CHECKPOINT ...]

KEY is the verifier key of the log, as its administrators publish it: `name+hash+base64`, the public key as 64 hex
digits, or a file with one of them on each line. Get it, and this program, from elsewhere than from the bundle.

What it checks: every byte of the zip file, and that nothing lies between the files in it; the signature under the
manifest and the hash of each file; the signature under the checkpoint (the log's size and root at that time); that each
event is in the log as it is in the bundle; for the export of a whole log, that none is missing; for each earlier
checkpoint, that the log has only grown since.

Exit code: 0 all is right; 1 something is wrong; 2 something could not be checked; 3 all agrees, but the key came from
the bundle itself, so that only the bundle vouches for it.

Rules: RFC 6962 (trees and proofs), RFC 8785 (canonical JSON), RFC 8032 (Ed25519), https://c2sp.org/tlog-checkpoint and
https://c2sp.org/signed-note.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import concurrent.futures
import contextlib
import csv
import datetime
import functools
import gc
import hashlib
import io
import itertools
import json
import pathlib
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    print("The package 'cryptography' is not installed. Install it with: python -m pip install cryptography")
    sys.exit(2)

try:  # of short texts much faster than OpenSSL's, and the same
    from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found, no-redef, unused-ignore]
    except ImportError:
        from hashlib import sha256  # type: ignore[assignment, no-redef, unused-ignore]

RIGHT, WRONG, UNCHECKED, UNVOUCHED = 0, 1, 2, 3
FORMAT = "portcullis-audit-bundle/1"
KIND = "audit_bundle"
MANIFEST, CHECKPOINT, LEAVES = "manifest.json", "checkpoint", "leaves.jsonl"
OCSF, CSV, CEF = "events.jsonl", "events.csv", "events.cef"
OCSF_NAMES = (
    *("place", "log", "leaf", "id", "action", "time", "tenant", "before", "after"),
    *("redacted fields", "address", "actor"),
)
INCLUSION, CONSISTENCY, PRUNED = "proofs/inclusion.jsonl", "proofs/consistency.jsonl", "proofs/pruned.jsonl"
SHOWN = 20
PIECE = 1 << 20
LONGEST_LINE = 64 << 20
TELL_EACH = 20_000
_HEX = re.compile(r"[0-9a-f]{64}")
from_json = json.JSONDecoder().decode
_GUARDS = re.compile("((?:^|[;\t\r\n]))'")
"""Before what a spreadsheet would take for a formula: at the beginning of a cell, and behind separators in it."""


class Wrong(Exception):
    """Something in the bundle is not as it must be. The message says what, for people."""


class Unchecked(Exception):
    """Something that was asked for cannot be checked with what there is."""


class Report:
    """What was found. Of many problems the first ones are shown, and how many there are."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.count = 0
        self.warnings: list[str] = []
        self.unchecked: list[str] = []
        self.facts: list[str] = []

    def wrong(self, problem: str) -> None:
        self.count += 1
        if len(self.problems) < SHOWN:
            self.problems.append(problem)


# --- canonical JSON, fields and leaves ---------------------------------------------------------------------------


def canonical(value: Any) -> str:
    """RFC 8785: names in the order of their UTF-16 code units, no spaces."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        members = (encode_basestring(name) + ":" + canonical(value[name]) for name in sorted(value, key=_units))
        return "{" + ",".join(members) + "}"
    raise Wrong(f"{type(value).__name__} is not of JSON")


def leaf_of(row: dict[str, Any]) -> bytes:
    """The hash of an event's leaf, from its fields, their salts, and the digests of what was redacted."""
    fields, redacted = row["fields"], row["redacted"]
    salts, names = bytes.fromhex(row["salts"]), ordered(tuple(fields))
    if salts and len(salts) != 16 * len(names):
        raise Wrong("there is not one salt for each field")
    members, at = {}, 0
    for name in names:
        value = fields[name]
        text = encode_basestring(value) if type(value) is str else canonical(value)
        said = salts[at : at + 16] + f"{name}\0{text}".encode()
        members[name] = f'{encode_basestring(name)}:"{sha256(said).hexdigest()}"'
        at += 16
    if redacted:
        members = with_redacted(members, redacted)
    return bytes(sha256(b"\0{" + ",".join(members.values()).encode() + b"}").digest())


def with_redacted(members: dict[str, str], redacted: dict[str, str]) -> dict[str, str]:
    """The members of a leaf together with those whose values were destroyed."""
    for name, digest in redacted.items():
        if name in members:
            raise Wrong(f"the field {name} is there, and redacted")
        if not _HEX.fullmatch(digest):
            raise Wrong(f"the digest of the redacted field {name} is none")
        members[name] = f'{encode_basestring(name)}:"{digest}"'
    return {name: members[name] for name in sorted(members, key=_units)}


@functools.lru_cache(maxsize=4096)
def ordered(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names as RFC 8785 orders them. Most events have the same."""
    return tuple(sorted(names, key=_units))


def _units(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


# --- trees (RFC 6962) --------------------------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours."""
    return bytes(sha256(b"\1" + left + right).digest())


class Tree:
    """A tree that leaves are added to. Keeps one hash for each of its full subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self._full: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        self._full.append(leaf)
        size = self.size
        while size & 1:
            right = self._full.pop()
            self._full[-1] = node(self._full[-1], right)
            size >>= 1
        self.size += 1

    def root(self) -> bytes:
        if not self._full:
            return hashlib.sha256(b"").digest()
        root = self._full[-1]
        for left in reversed(self._full[:-1]):
            root = node(left, root)
        return root


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise Wrong("it lies outside of the log")
    place, last, root = index, size - 1, leaf
    for each in proof:
        if last == 0:
            raise Wrong("its proof is too long")
        if place & 1 or place == last:
            root = node(each, root)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            root = node(root, each)
        place >>= 1
        last >>= 1
    if last:
        raise Wrong("its proof is too short")
    return root


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises unless the tree of size `new` begins with that of size `old` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        raise Wrong("the sizes make no sense")
    if old == new:
        if proof or old_root != new_root:
            raise Wrong("two roots of the same size differ")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise Wrong("the proof is empty")
    place, last = old - 1, new - 1
    while place & 1:
        place >>= 1
        last >>= 1
    older = newer = path[0]
    for each in path[1:]:
        if last == 0:
            raise Wrong("the proof is too long")
        if place & 1 or place == last:
            older, newer = node(each, older), node(each, newer)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            newer = node(newer, each)
        place >>= 1
        last >>= 1
    if last or older != old_root or newer != new_root:
        raise Wrong("the roots do not follow from the proof")


# --- keys, notes and signatures ----------------------------------------------------------------------------------


def public_keys(texts: Iterable[str]) -> list[bytes]:
    """Public keys from what was given for them: verifier keys, hex, or files of these."""
    found: list[bytes] = []
    for text in texts:
        try:
            path = pathlib.Path(text)
            lines = path.read_text("utf-8").split() if path.is_file() else [text]
        except (OSError, UnicodeError, ValueError):
            lines = [text]
        if not lines:
            raise Unchecked(f"There is no key in this file: {text}")
        found += [_public_key(line) for line in lines]
    return found


def _public_key(text: str) -> bytes:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    name, _, rest = text.partition("+")
    digest, _, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 33 or key[0] != 1 or key_id(name, key[1:]).hex() != digest:
        raise Unchecked(f"This is no verifier key, and no file with some: {text[:80]}")
    return key[1:]


def key_id(name: str, public: bytes) -> bytes:
    """What a signature line of a note names its key by."""
    return hashlib.sha256(name.encode() + b"\n\1" + public).digest()[:4]


class Checkpoint:
    """A log's size and root, as its note says them."""

    def __init__(self, note: str) -> None:
        body, _, self.signatures = note.partition("\n\n")
        lines = body.split("\n")
        if len(lines) < 3 or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
            raise Wrong("this is no checkpoint")
        self.body = body + "\n"
        self.origin, self.size = lines[0], int(lines[1])
        self.root = _decoded(lines[2])
        if len(self.root) != 32:
            raise Wrong("its root is no hash")

    def check(self, keys: Sequence[bytes]) -> None:
        """Raises unless one of the keys signed it in the name of its log."""
        known = {(self.origin, key_id(self.origin, key)): key for key in keys}
        for line in self.signatures.rstrip("\n").split("\n"):
            dash, name, encoded = [*line.split(" "), "", "", ""][:3]
            signature = _decoded(encoded) if dash == "\u2014" else b""
            key = known.get((name, signature[:4]))
            if key is not None:
                if not signed(key, signature[4:], self.body.encode()):
                    raise Wrong("its signature does not verify")
                return
        raise Wrong("none of the keys that you trust has signed it")


def signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a key signed exactly this (Ed25519)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decoded(text: str) -> bytes:
    """Base64 in its one form: bits that say nothing must be zero."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found or base64.b64encode(found).decode() != text:
        raise Wrong("a text in base64 was altered")
    return found


# --- zip files and folders: these lines are the same in the verifiers of bundles and of evidence packs -------------


class Entry(NamedTuple):
    """A file as the directory at the end of a zip file has it."""

    name: bytes
    flags: int
    method: int
    moment: int
    crc: int
    packed: int
    size: int
    offset: int


STORED, DEFLATED, STREAMED = 0, 8, 8
END, WIDE, MOST_DIRECTORY = 22, 0xFFFFFFFF, 16 << 20


def check_zip(path: pathlib.Path, names: Sequence[str]) -> None:
    """Raises unless a zip file holds files of these names in this order, and not one byte besides.

    Whoever alters it can compute the hash at its end anew. So it must be read alike by programs that begin at its
    directory and by those that begin at its first byte: the files follow each other without a gap, from offset 0 to the
    directory, which says of each what its own header says, and their compressed data end where they should (APPNOTE).
    """
    try:
        with path.open("rb") as file:
            entries, first = directory_of(file)
            if [each.name for each in entries] != [name.encode() for name in names]:
                raise Wrong("its files are not those of the manifest, each once and in its order")
            at = 0
            for each in entries:
                if each.offset != at:
                    raise Wrong(f"{each.name.decode()} does not begin where the file before it ends")
                at = end_of(file, each)
            if at != first:
                raise Wrong("there is something between its last file and its directory")
        with zipfile.ZipFile(path) as archive:
            read = [
                (each.orig_filename.encode(), each.CRC, each.compress_size, each.file_size, each.header_offset)
                for each in archive.infolist()
            ]
    except (struct.error, zlib.error, UnicodeError, zipfile.BadZipFile) as error:
        raise Wrong(f"its structure is not as it must be ({type(error).__name__})") from error
    if read != [(each.name, each.crc, each.packed, each.size, each.offset) for each in entries]:
        raise Wrong("it can be read in two ways")


def directory_of(file: BinaryIO) -> tuple[list[Entry], int]:
    """The entries of the directory, and where it begins. It ends where its end record says, 64 bytes before the end."""
    length = file.seek(0, 2)
    end = length - 64 - END
    if end < 0:
        raise Wrong("it is too short")
    count, size, first = struct.unpack("<HII", _at(file, end + 10, 10))
    wide = _at(file, end - 20, 4) == b"PK\6\7" if end >= 76 else False
    if wide:
        count, size, first = struct.unpack("<QQQ", _at(file, end - 44, 24))
    after = first + size
    said = b""
    if wide:
        said += struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, first)
        said += struct.pack("<4sIQI", b"PK\6\7", 0, after, 1)
    least = min(count, 0xFFFF)
    said += struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, least, least, min(size, WIDE), min(first, WIDE), 64)
    if size > MOST_DIRECTORY or after + len(said) + 64 != length or _at(file, after, len(said)) != said:
        raise Wrong("the end of its directory is not as it must be")
    entries, raw = [], _at(file, first, size)
    while raw:
        entry, raw = _entry(raw)
        entries.append(entry)
    if len(entries) != count:
        raise Wrong("its directory holds another number of files than it says")
    return entries, first


def _entry(raw: bytes) -> tuple[Entry, bytes]:
    """The first entry of a part of the directory, and what follows."""
    fields = struct.unpack("<4sHHHHIIIIHHHHHII", raw[:46])
    magic, _, _, flags, method, moment, crc, packed, size, named, extras, comment, disk, inner, outer, offset = fields
    name, extra = raw[46 : 46 + named], raw[46 + named : 46 + named + extras]
    is_plain = outer >> 28 in (0, 8) and not outer & 0x10
    if magic != b"PK\1\2" or comment or disk or inner or not is_plain or len(extra) != extras:
        raise Wrong("its directory holds something else than plain files")
    if WIDE in (packed, size, offset):
        wide = [each for each in (size, packed, offset) if each == WIDE]
        if len(extra) != 4 + 8 * len(wide) or extra[:4] != struct.pack("<HH", 1, 8 * len(wide)):
            raise Wrong("its directory says no sizes")
        found = iter(struct.unpack(f"<{len(wide)}Q", extra[4:]))
        size, packed, offset = (next(found) if each == WIDE else each for each in (size, packed, offset))
    elif extra:
        raise Wrong("its directory says more of a file than it should")
    return Entry(name, flags, method, moment, crc, packed, size, offset), raw[46 + named + extras :]


def end_of(file: BinaryIO, entry: Entry) -> int:
    """Where a file in a zip file ends. Raises unless it is as the directory says."""
    shown, streamed = entry.name.decode(), entry.flags == STREAMED
    header = struct.unpack("<4sHHHIIIIHH", _at(file, entry.offset, 30))
    name, extra = file.read(header[8]), file.read(header[9])
    said = (0, 0, 0) if streamed else (entry.crc, entry.packed, entry.size)
    if extra:  # Python writes sizes of 64 bits
        is_same = extra == struct.pack("<HHQQ", 1, 16, said[2], said[1])
        said = (said[0], WIDE, WIDE)
    else:
        is_same = True
    true = (b"PK\3\4", entry.flags, entry.method, entry.moment, *said, entry.name)
    if not is_same or (header[0], *header[2:8], name) != true:
        raise Wrong(f"{shown}: its header and the directory differ")
    if entry.flags not in (0, STREAMED) or entry.method not in (STORED, DEFLATED) or (streamed and not entry.method):
        raise Wrong(f"{shown}: it is packed in a way that this program does not know")
    size = crc = 0
    for piece in unpacked(file, entry.packed, entry.method):
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        if size > entry.size:
            break
    if (size, crc) != (entry.size, entry.crc):
        raise Wrong(f"{shown}: its content is not what the directory says")
    if streamed:
        after = struct.pack("<4sIQQ" if extra else "<4sIII", b"PK\7\x08", entry.crc, entry.packed, entry.size)
        if file.read(len(after)) != after:
            raise Wrong(f"{shown}: what follows it and the directory differ")
    return file.tell()


def unpacked(file: BinaryIO, packed: int, method: int) -> Iterator[bytes]:
    """The content of the next `packed` bytes, piece by piece. Raises unless it takes all of them."""
    inflate, left = zlib.decompressobj(-15), packed
    while left:
        data = file.read(min(PIECE, left))
        if not data:
            raise Wrong("it is cut off")
        left -= len(data)
        if method == STORED:
            yield data
            continue
        yield inflate.decompress(data, PIECE)
        while inflate.unconsumed_tail:
            yield inflate.decompress(inflate.unconsumed_tail, PIECE)
        if inflate.eof and (left or inflate.unused_data):
            raise Wrong("there is something between the data of its files")
    while method == DEFLATED and not inflate.eof:
        piece = inflate.decompress(b"", PIECE)
        if not piece:
            raise Wrong("the data of a file are cut off")
        yield piece


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def names_in(folder: pathlib.Path) -> list[str]:
    """What is in a folder: files, and folders without any. Raises where something is neither, as a link."""
    names = []
    for each in sorted(folder.rglob("*")):
        name = each.relative_to(folder).as_posix()
        if each.is_symlink() or not (each.is_file() or each.is_dir()):
            raise Wrong(f"{name}: this is no file, but a link or the like")
        if each.is_file() or not any(each.iterdir()):
            names.append(name)
    return names


# --- the files of a bundle ---------------------------------------------------------------------------------------


class Bundle:
    """The files of a bundle, in a zip file or a folder."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        self._opened: list[BinaryIO] = []

    def close(self) -> None:
        for file in self._opened:
            file.close()
        if self._zip is not None:
            self._zip.close()

    def names(self) -> list[str]:
        if self._zip is not None:
            return [each.filename for each in self._zip.infolist()]
        return names_in(self.path)

    def open(self, name: str) -> BinaryIO:
        try:
            if self._zip is None:
                file: Any = (self.path / name).open("rb")
            else:
                file = io.BufferedReader(self._zip.open(name), PIECE // 4)
        except (KeyError, OSError) as error:
            raise Wrong(f"{name}: the file is missing.") from error
        self._opened.append(file)
        return file  # type: ignore[no-any-return]

    def read(self, name: str, most: int = 16 << 20) -> bytes:
        found = self.open(name).read(most + 1)
        if len(found) > most:
            raise Wrong(f"{name}: the file is larger than such a file can be.")
        return found


class Lines:
    """The lines of a file. Counts and hashes what it gives, so that a file is read once."""

    def __init__(self, bundle: Bundle, name: str) -> None:
        self.name, self._file = name, bundle.open(name)
        self.sha256, self.size, self.count = hashlib.sha256(), 0, 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            line = self._file.readline(LONGEST_LINE)
            if not line:
                return
            self.sha256.update(line)
            self.size += len(line)
            self.count += 1
            yield line

    def rest(self) -> int:
        """Reads to the end, for the hash; returns how many bytes were left."""
        before = self.size
        while True:
            piece = self._file.read(PIECE)
            if not piece:
                return self.size - before
            self.sha256.update(piece)
            self.size += len(piece)


def parsed(line: bytes, name: str, number_: int) -> Any:
    """A line of JSON."""
    try:
        return from_json(line.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise Wrong(f"{name}, line {number_}: this is not JSON.") from error


def check_bytes(path: pathlib.Path) -> str:
    """What is wrong with a zip file as a whole: at its end it says what all its bytes hash to, those of no file too."""
    digest = hashlib.sha256()
    left = path.stat().st_size - 64
    with path.open("rb") as file:
        while left > 0:
            piece = file.read(min(PIECE, left))
            if not piece:
                break
            digest.update(piece)
            left -= len(piece)
        said = file.read()
    if said != digest.hexdigest().encode():
        return "The zip file was altered after it was made: its bytes do not give the hash at its end."
    return ""


# --- the manifest ------------------------------------------------------------------------------------------------


def manifest_of(bundle: Bundle, keys: Sequence[bytes], report: Report) -> tuple[dict[str, Any], list[bytes]]:
    """What the manifest says, and the keys to trust. Its signature, and its one form, are checked."""
    text = bundle.read(MANIFEST)
    whole = parsed(text, MANIFEST, 1)
    try:
        rest = {name: value for name, value in whole.items() if name != "signature"}
        payload, key = whole["payload"], bytes.fromhex(whole["key"])
        form = json.dumps(whole, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        if form.encode("utf-8", "surrogatepass") != text:
            report.wrong(f"{MANIFEST}: it was altered: it is not written as it was signed.")
        if whole["kind"] != KIND or payload["format"] != FORMAT:
            raise Wrong(f"{MANIFEST}: this is no bundle of a format that this program knows ({FORMAT}).")
        if not keys:
            keys = [key]
        elif key not in keys:
            report.wrong(f"{MANIFEST}: it is signed by a key that is not among those that you trust: {key.hex()}.")
        if not signed(key, _decoded(whole["signature"]), canonical(rest).encode()):
            report.wrong(f"{MANIFEST}: its signature does not verify: it was altered, or another key signed it.")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Wrong(f"{MANIFEST}: it is not as it must be ({type(error).__name__}).") from error
    return payload, list(keys)


def check_names(bundle: Bundle, payload: dict[str, Any], report: Report) -> None:
    """The files are those of the manifest, each once."""
    names, listed = bundle.names(), {each["name"] for each in payload["files"]}
    for name in sorted(set(names) - listed - {MANIFEST}):
        report.wrong(f"{name}: the file is in the bundle, but the manifest does not know it.")
    for name in sorted(listed - set(names)):
        report.wrong(f"{name}: the file is missing.")
    for name in sorted({name for name in names if names.count(name) > 1}):
        report.wrong(f"{name}: there are several files of this name.")


def check_structure(path: pathlib.Path, names: Sequence[str]) -> str:
    """What is wrong with how a zip file is put together."""
    try:
        check_zip(path, names)
    except Wrong as error:
        return f"The zip file was altered after it was made: {error}."
    return ""


def check_hash(lines: Lines, payload: dict[str, Any], report: Report) -> None:
    """A file that was read to its end is the one that the manifest lists."""
    said = next((each for each in payload["files"] if each["name"] == lines.name), None)
    if said is None:
        return
    if lines.size != said["bytes"]:
        report.wrong(f"{lines.name}: it has {lines.size:,} bytes; the manifest says {said['bytes']:,}.")
    elif lines.sha256.hexdigest() != said["sha256"]:
        report.wrong(f"{lines.name}: it was altered: its hash is not that of the manifest.")


# --- the events --------------------------------------------------------------------------------------------------


class Renderings:
    """The same events in the three formats, read beside the leaves."""

    def __init__(self, bundle: Bundle, listed: Iterable[str], report: Report) -> None:
        self._report = report
        self.files = {name: Lines(bundle, name) for name in (OCSF, CSV, CEF) if name in set(listed)}
        looks = ((OCSF, self._see_ocsf), (CSV, self._see_csv), (CEF, self._see_cef))
        self._looks = [(name, look) for name, look in looks if name in self.files]
        self._ocsf: Iterator[bytes] = iter(self.files.get(OCSF, ()))
        self._cef: Iterator[bytes] = iter(self.files.get(CEF, ()))
        csv.field_size_limit(LONGEST_LINE)
        self._csv = csv.reader((line.decode("utf-8") for line in self.files.get(CSV, ())), strict=True)
        self._columns = next(self._csv, [])
        self._objects = [place for place, name in enumerate(self._columns) if name in ("before", "after")]

    def compare(self, row: dict[str, Any], origin: str) -> None:
        """Reports where a format tells something else than the leaf."""
        before, after = _changed(row["fields"])
        for name, look in self._looks:
            try:
                differs = look(row, origin, before, after)
            except (StopIteration, ValueError, KeyError, TypeError, AttributeError, csv.Error):
                differs = "it cannot be read"
            if differs:
                self._report.wrong(f"{name}: the event at index {row['index']}: {differs}.")

    def _see_ocsf(self, row: dict[str, Any], origin: str, before: dict[str, Any], after: dict[str, Any]) -> str:
        event, fields = from_json(next(self._ocsf).decode("utf-8", "surrogatepass")), row["fields"]
        metadata, unmapped = event["metadata"], event["unmapped"]
        told = (
            *(metadata["sequence"], metadata["log_name"], unmapped["leaf"], metadata["uid"], metadata["event_code"]),
            *(event["time"], unmapped.get("tenant_id"), unmapped.get("before", {}), unmapped.get("after", {})),
            *(unmapped.get("redacted", []), event["src_endpoint"].get("ip"), event["actor"]["user"]["uid"]),
        )
        true = (
            *(row["index"], origin, row["leaf"], str(fields.get("id", "")), fields.get("action", "")),
            *(_ms(fields.get("occurred_at", "")), fields.get("tenant_id"), before, after),
            *(sorted(row["redacted"]), fields.get("ip"), str(fields.get("actor_id") or "redacted")),
        )
        return "" if told == true else _differing(OCSF_NAMES, told, true)

    def _see_csv(self, row: dict[str, Any], origin: str, before: dict[str, Any], after: dict[str, Any]) -> str:
        fields = {**row["fields"], "index": row["index"], "leaf": row["leaf"], "before": before, "after": after}
        fields["redacted"] = " ".join(sorted(row["redacted"]))
        true = [fields.get(name) for name in self._columns]
        told = [_GUARDS.sub(r"\1", cell) if "'" in cell else cell for cell in next(self._csv)]
        for place in self._objects:
            told[place] = from_json(told[place]) if told[place] else {}
        true = [each if isinstance(each, dict) else "" if each is None else str(each) for each in true]
        return "" if told == true else _differing(self._columns, told, true)

    def _see_cef(self, row: dict[str, Any], origin: str, before: dict[str, Any], after: dict[str, Any]) -> str:
        line = next(self._cef).decode("utf-8")
        place, leaf = f" cn1={row['index']} ", f" cs5={row['leaf']}"
        return "" if place in line and leaf in line else "it is another one"

    def finish(self, payload: dict[str, Any]) -> None:
        for name, lines in self.files.items():
            if lines.rest():
                self._report.wrong(f"{name}: it holds more than the events.")
            check_hash(lines, payload, self._report)


def _differing(names: Sequence[str], told: Sequence[Any], true: Sequence[Any]) -> str:
    if len(told) != len(true):
        return "it has another number of columns"
    differing = [names[place] for place, each in enumerate(told) if each != true[place]]
    return f"{', '.join(differing)}: not as in the log"


def _changed(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The changed fields, as they were and as they became."""
    before, after = {}, {}
    for name, value in fields.items():
        if name[:7] == "before.":
            before[name[7:]] = value
        elif name[:6] == "after.":
            after[name[6:]] = value
    return before, after


def _ms(text: str) -> int:
    if not text:
        return 0
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


class Events:
    """Goes through the leaves of a bundle: each is what its event gives, and lies where the log has it."""

    def __init__(
        self,
        bundle: Bundle,
        payload: dict[str, Any],
        checkpoint: Checkpoint,
        earlier: Sequence[tuple[str, Checkpoint]],
        report: Report,
        tell: Callable[[int, int], None],
    ) -> None:
        self._bundle, self._payload, self._checkpoint = bundle, payload, checkpoint
        self._report, self._tell = report, tell
        self._listed = {each["name"] for each in payload["files"]}
        self._tree, self._earlier = Tree(), list(earlier)
        self.events = self.pruned = self.redacted = 0

    def check(self) -> None:
        if self._payload["complete"]:
            self._check_whole()
        else:
            self._check_some()

    def _rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the bundle, each compared with its leaf and with the three formats."""
        lines, last, total = Lines(self._bundle, LEAVES), -1, self._payload["counts"]["events"]
        renderings = Renderings(self._bundle, self._listed, self._report)
        for line in lines:
            row = parsed(line, LEAVES, lines.count)
            index = row.get("index") if isinstance(row, dict) else None
            if not isinstance(index, int) or index <= last:
                raise Wrong(f"{LEAVES}, line {lines.count}: the events are not in the order of the log.")
            self._check_row(row)
            renderings.compare(row, self._checkpoint.origin)
            last = index
            self.events += 1
            self.redacted += bool(row["redacted"])
            if self.events % TELL_EACH == 0:
                self._tell(self.events, total)
            yield row
        check_hash(lines, self._payload, self._report)
        renderings.finish(self._payload)

    def _check_row(self, row: dict[str, Any]) -> None:
        try:
            if leaf_of(row).hex() != row["leaf"]:
                raise Wrong("what it says is not what the log was given")
        except Wrong as error:
            self._report.wrong(f"The event at index {row['index']} was altered: {error}.")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Wrong(f"{LEAVES}: the event at index {row['index']} is not as it must be.") from error

    # A whole log: the root follows from the leaves.

    def _check_whole(self) -> None:
        pruned, lines = self._pruned()
        for index, leaf, is_pruned in _merged(self._rows(), pruned):
            self.pruned += is_pruned
            if index != self._tree.size:
                raise Wrong(
                    f"The event at index {self._tree.size} is missing: after it comes the one at index {index}."
                )
            self._grow(leaf)
        if lines is not None:
            check_hash(lines, self._payload, self._report)
        size, checkpoint = self._tree.size, self._checkpoint
        if size != checkpoint.size:
            self._report.wrong(
                f"The checkpoint has {checkpoint.size:,} events; the bundle has {size:,}: those from index "
                f"{min(size, checkpoint.size)} on are {'missing' if size < checkpoint.size else 'too many'}."
            )
        elif self._tree.root() != checkpoint.root:
            self._report.wrong("The events do not give the root of the checkpoint: one was changed, or exchanged.")

    def _pruned(self) -> tuple[Iterator[tuple[int, str]], Lines | None]:
        if PRUNED not in self._listed:
            return iter(()), None
        lines = Lines(self._bundle, PRUNED)
        return (self._pruned_row(parsed(line, PRUNED, lines.count)) for line in lines), lines

    def _pruned_row(self, row: Any) -> tuple[int, str]:
        try:
            index, leaf = row["index"], row["leaf"]
            if not isinstance(index, int) or not _HEX.fullmatch(leaf):
                raise Wrong(f"{PRUNED}: a line is not as it must be.")
        except (KeyError, TypeError) as error:
            raise Wrong(f"{PRUNED}: a line is not as it must be.") from error
        if index >= self._payload["pruned_to"]:
            self._report.wrong(
                f"The event at index {index} is missing: only its hash is there, and only events before index "
                f"{self._payload['pruned_to']} were due to be removed."
            )
        return index, leaf

    def _grow(self, leaf: str) -> None:
        self._tree.add(bytes.fromhex(leaf))
        for name, each in [pair for pair in self._earlier if pair[1].size == self._tree.size]:
            self._earlier.remove((name, each))
            if each.root != self._tree.root():
                self._report.wrong(f"{name}: {_rewritten(each.size)}")

    # A part of a log: each event has its proof.

    def _check_some(self) -> None:
        proofs = Lines(self._bundle, INCLUSION)
        each = iter(proofs)
        for row in self._rows():
            try:
                self._check_inclusion(row, parsed(next(each), INCLUSION, proofs.count))
            except StopIteration:
                self._report.wrong(f"The event at index {row['index']} has no proof.")
            except (Wrong, KeyError, TypeError, ValueError, AttributeError) as error:
                why = error if isinstance(error, Wrong) else "its proof is not as it must be"
                self._report.wrong(f"The event at index {row['index']} is not proven to be in the log: {why}.")
        proofs.rest()
        check_hash(proofs, self._payload, self._report)
        self._check_growth()

    def _check_inclusion(self, row: dict[str, Any], proof: dict[str, Any]) -> None:
        if proof["index"] != row["index"]:
            raise Wrong("its proof is another one's")
        hashes = [bytes.fromhex(text) for text in proof["hashes"]]
        found = root_by_inclusion(bytes.fromhex(row["leaf"]), row["index"], self._checkpoint.size, hashes)
        if found != self._checkpoint.root:
            raise Wrong("its proof leads to another root")

    def _check_growth(self) -> None:
        """The proofs that the log grew from its earlier checkpoints."""
        if CONSISTENCY not in self._listed:
            return
        lines = Lines(self._bundle, CONSISTENCY)
        for line in lines:
            proof = parsed(line, CONSISTENCY, lines.count)
            try:
                self._check_grown(proof)
            except (Wrong, KeyError, TypeError, ValueError, AttributeError) as error:
                why = error if isinstance(error, Wrong) else "it is not as it must be"
                self._report.wrong(f"{CONSISTENCY}, line {lines.count}: {why}.")
        check_hash(lines, self._payload, self._report)

    def _check_grown(self, proof: dict[str, Any]) -> None:
        size, root = proof["size"], bytes.fromhex(proof["root"])
        hashes = [bytes.fromhex(text) for text in proof["hashes"]]
        check_consistency(size, self._checkpoint.size, root, self._checkpoint.root, hashes)
        for name, each in [pair for pair in self._earlier if pair[1].size == size]:
            self._earlier.remove((name, each))
            if each.root != root:
                self._report.wrong(f"{name}: {_rewritten(size)}")

    def check_left(self) -> None:
        """What is to be said of earlier checkpoints that were not reached."""
        for name, each in self._earlier:
            if each.size == 0:
                continue
            if each.size > self._checkpoint.size:
                self._report.wrong(
                    f"{name}: it has {each.size:,} events, the checkpoint of the bundle {self._checkpoint.size:,}: "
                    "the log was cut off, or this checkpoint is the later one."
                )
            elif each.size == self._checkpoint.size:
                if each.root != self._checkpoint.root:
                    self._report.wrong(f"{name}: {_rewritten(each.size)}")
            elif not self._payload["complete"]:
                self._report.unchecked.append(
                    f"{name}: the bundle has no proof for a log of {each.size:,} events. Ask for an export of the "
                    "whole log."
                )


def _rewritten(size: int) -> str:
    return f"the log was rewritten: its first {size:,} events were others when this checkpoint was signed."


def _merged(rows: Iterator[dict[str, Any]], pruned: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, bool]]:
    """Events, and hashes of events that were removed, in the order of the log."""
    row, hashed = next(rows, None), next(pruned, None)
    while row is not None or hashed is not None:
        if hashed is None or (row is not None and row["index"] < hashed[0]):
            assert row is not None
            if not isinstance(row["leaf"], str) or not _HEX.fullmatch(row["leaf"]):
                raise Wrong(f"{LEAVES}: the leaf at index {row['index']} is no hash.")
            yield row["index"], row["leaf"], False
            row = next(rows, None)
        else:
            yield hashed[0], hashed[1], True
            hashed = next(pruned, None)


# --- the whole ---------------------------------------------------------------------------------------------------


def verify(path: pathlib.Path, keys: Sequence[bytes], earlier: Sequence[pathlib.Path], tell: Any) -> Report:
    """Checks everything, and says what was found."""
    report = Report()
    beside = Beside()
    if not path.is_dir():
        beside.start(check_bytes, path)
    try:
        with contextlib.closing(Bundle(path)) as bundle:
            _verify(bundle, keys, earlier, report, tell, beside)
    except Wrong as error:
        report.wrong(str(error))
    except Unchecked:
        raise
    except Exception as error:  # whatever an altered file may lead to
        report.wrong(_unreadable(error))
    beside.tell(report)
    return report


class Beside:
    """Checks of whole files, which go on while the events are looked at: hashing and unpacking need no interpreter."""

    def __init__(self) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._checks: list[concurrent.futures.Future[str]] = []

    def start(self, check: Callable[..., str], *about: Any) -> None:
        """Has `check` say what is wrong; nothing is an empty text."""
        self._checks.append(self._pool.submit(check, *about))

    def tell(self, report: Report) -> None:
        """Waits for them, and reports what they found."""
        for each in self._checks:
            try:
                problem = each.result()
            except Exception as error:  # whatever an altered file may lead to
                problem = _unreadable(error)
            if problem:
                report.wrong(problem)
        self._pool.shutdown()


def _unreadable(error: Exception) -> str:
    return f"The bundle cannot be read: it was altered or cut off ({type(error).__name__}: {error})."


def _verify(
    bundle: Bundle,
    keys: Sequence[bytes],
    earlier: Sequence[pathlib.Path],
    report: Report,
    tell: Any,
    beside: Beside,
) -> None:
    if not keys:
        report.warnings.append(
            "No key was given, so that the key is the bundle's own: whoever made the bundle vouches for it. Get the "
            "verifier key from the log's administrators, and give it with --key."
        )
    payload, keys = manifest_of(bundle, keys, report)
    check_names(bundle, payload, report)
    if not bundle.path.is_dir():
        beside.start(check_structure, bundle.path, [*(each["name"] for each in payload["files"]), MANIFEST])
    checkpoint = Checkpoint(bundle.read(CHECKPOINT).decode("utf-8"))
    try:
        checkpoint.check(keys)
    except Wrong as error:
        report.wrong(f"{CHECKPOINT}: {error}.")
    said = (payload["origin"], payload["tree_size"], payload["root"])
    if said != (checkpoint.origin, checkpoint.size, checkpoint.root.hex()):
        report.wrong(f"{MANIFEST}: it names another log, size or root than the checkpoint.")
    events = Events(bundle, payload, checkpoint, _read_earlier(earlier, checkpoint, keys, report), report, tell)
    events.check()
    events.check_left()
    if events.events != payload["counts"]["events"]:
        report.wrong(f"The manifest counts {payload['counts']['events']:,} events; there are {events.events:,}.")
    read = {LEAVES, OCSF, CSV, CEF, INCLUSION, CONSISTENCY, PRUNED}
    for each in payload["files"]:
        if each["name"] not in read:
            lines = Lines(bundle, each["name"])
            lines.rest()
            check_hash(lines, payload, report)
    report.facts += _facts(payload, checkpoint, events)


def _read_earlier(
    paths: Sequence[pathlib.Path], checkpoint: Checkpoint, keys: Sequence[bytes], report: Report
) -> list[tuple[str, Checkpoint]]:
    """Earlier checkpoints: files with one note, or several after one another."""
    found = []
    for path in paths:
        try:
            notes = _notes(path.read_text("utf-8"))
        except (OSError, UnicodeError) as error:
            raise Unchecked(f"{path}: the file cannot be read ({type(error).__name__}).") from error
        for place, note in enumerate(notes, 1):
            name = f"{path.name}, checkpoint {place}" if len(notes) > 1 else path.name
            try:
                each = Checkpoint(note)
                if each.origin != checkpoint.origin:
                    raise Wrong(f"it is of another log, {each.origin}")
                each.check(keys)
            except Wrong as error:
                report.wrong(f"{name}: {error}.")
            else:
                found.append((name, each))
    return found


def _notes(text: str) -> list[str]:
    """The notes in a text: each is a body, an empty line, and signature lines."""
    found: list[str] = []
    lines = text.split("\n")
    body: list[str] = []
    for line, following in itertools.zip_longest(lines, lines[1:], fillvalue=""):
        body.append(line)
        if line.startswith("\u2014 ") and not following.startswith("\u2014 "):
            found.append("\n".join(body).lstrip("\n") + "\n")
            body = []
    if "".join(body).strip() or not found:
        found.append("\n".join(body).lstrip("\n"))
    return found


def _facts(payload: dict[str, Any], checkpoint: Checkpoint, events: Events) -> list[str]:
    what = "the whole log" if payload["complete"] else "a part of the log"
    chosen = ", ".join(f"{name} {value}" for name, value in sorted(payload["filters"].items()))
    facts = [
        f"Log: {checkpoint.origin}",
        f"Checkpoint: {checkpoint.size:,} events, root {checkpoint.root.hex()}",
        f"Bundle: {events.events:,} events, {what}" + (f" ({chosen})" if chosen else ""),
    ]
    if events.pruned:
        facts.append(f"Removed when their time was over: {events.pruned:,} events, of which the hashes are there")
    if events.redacted:
        facts.append(f"Redacted: {events.redacted:,} events lack fields that were taken out; their hashes are there")
    if payload["withheld"]:
        facts.append(f"Withheld from the tenant, of what staff did: {', '.join(payload['withheld'])}")
    return facts


def progress(done: int, total: int) -> None:
    """A line that is written over, for who watches."""
    sys.stderr.write(f"\r{done:,} of {total:,} events checked ")
    sys.stderr.flush()


def told(report: Report, out: Any) -> int:
    """Writes what was found, and returns the exit code."""
    for fact in report.facts:
        print(fact, file=out)
    for warning in report.warnings:
        print(f"Warning: {warning}", file=out)
    for problem in report.problems:
        print(f"WRONG: {problem}", file=out)
    if report.count > len(report.problems):
        print(f"WRONG: and {report.count - len(report.problems):,} more.", file=out)
    for each in report.unchecked:
        print(f"Not checked: {each}", file=out)
    if report.count:
        print("The bundle is NOT as it was made, or not of this log.", file=out)
        return WRONG
    if report.unchecked:
        print("What could be checked is right.", file=out)
        return UNCHECKED
    if report.warnings:
        print("All agrees, but only the bundle itself vouches for its key.", file=out)
        return UNVOUCHED
    print("All is right.", file=out)
    return RIGHT


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Verifies an exported audit log.", epilog="See docs/audit-bundles.md, or README in the bundle."
    )
    parser.add_argument(
        "bundle",
        nargs="?",
        default=str(pathlib.Path(__file__).resolve().parent),
        help="the zip file, or the folder that it was unpacked to; default: where this program lies",
    )
    parser.add_argument("--key", action="append", default=[], help="a verifier key that you trust; may be repeated")
    parser.add_argument(
        "--earlier", action="append", default=[], help="a file with earlier checkpoints of the log; may be repeated"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    given = parser.parse_args(arguments)
    path, out = pathlib.Path(given.bundle), io.TextIOWrapper(sys.stdout.buffer, "utf-8", line_buffering=True)
    if not path.exists():
        print(f"There is no such file: {path}", file=out)
        return UNCHECKED
    gc.set_threshold(100_000)  # of each event everything is let go at once: there is little to look for
    tell = (lambda done, total: None) if given.quiet or not sys.stderr.isatty() else progress
    try:
        report = verify(path, public_keys(given.key), [pathlib.Path(each) for each in given.earlier], tell)
    except Unchecked as error:
        print(f"Not checked: {error}", file=out)
        return UNCHECKED
    if tell is progress:
        sys.stderr.write("\n")
    return told(report, out)


if __name__ == "__main__":
    sys.exit(main())
