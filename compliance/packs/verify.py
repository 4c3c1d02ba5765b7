#!/usr/bin/env python3
"""Verifies an evidence pack, as a zip file or unpacked.

Needs Python 3.9 or newer and the package `cryptography`; no network, and nothing of the system that made the pack.

    python verify.py pack.zip --key KEY

KEY is the public key of the installation as its administrators publish it: 64 hex digits, or a file with one on each
line. Get it, and this program, from elsewhere than from the pack.

What it checks: the signature under the manifest, the hash and size of each file that the manifest lists, that none is
missing, that there is no other, and of a zip file every other byte, too: nothing lies between its files.

Exit code: 0 all is right; 1 something is wrong; 2 something could not be checked; 3 all agrees, but no key was given,
so that only the pack vouches for itself.

Rules: RFC 8785 (canonical JSON, without floats), RFC 8032 (Ed25519).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import pathlib
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    print("The package 'cryptography' is not installed. Install it with: python -m pip install cryptography")
    sys.exit(2)

RIGHT, WRONG, UNCHECKED, UNVOUCHED = 0, 1, 2, 3
FORMAT, KIND, MANIFEST = "portcullis-evidence-pack/1", "evidence_pack", "manifest.json"
PIECE = 1 << 20
MOST_MANIFEST = 16 << 20


class Wrong(Exception):
    """Something in the pack is not as it must be."""


class Unchecked(Exception):
    """Something cannot be checked with what there is."""


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


# --- the files of a pack -----------------------------------------------------------------------------------------


class Pack:
    """The files of a pack, in a zip file or in a folder."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._folder = path if path.is_dir() else None
        self._zip = None if path.is_dir() else zipfile.ZipFile(path)

    def names(self) -> list[str]:
        if self._zip is not None:
            return [each.filename for each in self._zip.infolist()]
        return names_in(self._path)

    def pieces(self, name: str) -> Iterator[bytes]:
        source = self._zip.open(name) if self._zip is not None else (self._path / name).open("rb")
        with source as file:
            while piece := file.read(PIECE):
                yield piece

    def check_seal(self, names: Sequence[str]) -> None:
        """Of a zip file, that it holds these files and nothing else, and that no byte around them was altered: it ends
        with the hash of all before."""
        if self._folder is not None:
            return
        check_zip(self._path, names)
        digest, held = hashlib.sha256(), b""
        with self._path.open("rb") as file:
            while piece := file.read(PIECE):
                held += piece
                digest.update(held[:-64])
                held = held[-64:]
        if held != digest.hexdigest().encode():
            raise Wrong("the zip file was altered around its files, or packed anew: then verify it unpacked")

    def whole(self, name: str, most: int) -> bytes:
        found = b""
        for piece in self.pieces(name):
            found += piece
            if len(found) > most:
                raise Wrong(f"{name} is too large")
        return found


# --- the manifest ------------------------------------------------------------------------------------------------


def canonical(value: Any) -> str:
    """RFC 8785, without floats."""
    if isinstance(value, dict):
        members = (
            f"{json.dumps(name, ensure_ascii=False)}:{canonical(value[name])}" for name in sorted(value, key=_units)
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        raise Wrong("the manifest holds a number with a fraction")
    return json.dumps(value, ensure_ascii=False)


def _units(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def manifest_of(pack: Pack) -> dict[str, Any]:
    """The signed manifest, whose signature is right."""
    if pack.names().count(MANIFEST) != 1:
        raise Wrong("there is not one manifest.json")
    try:
        text = pack.whole(MANIFEST, MOST_MANIFEST)
        signed = json.loads(text)
        rest = {name: value for name, value in signed.items() if name != "signature"}
        signature = base64.b64decode(signed["signature"], validate=True)
        if base64.b64encode(signature).decode() != signed["signature"]:
            raise Wrong("the signature under the manifest was altered")
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed["key"]))
        key.verify(signature, canonical(rest).encode())
    except InvalidSignature as error:
        raise Wrong("the signature under the manifest is not right") from error
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Wrong(f"manifest.json is no signed manifest: {type(error).__name__}") from error
    if signed["kind"] != KIND or signed["payload"].get("format") != FORMAT:
        raise Wrong("this is another kind of document")
    form = json.dumps(signed, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    if form.encode("utf-8", "surrogatepass") != text:
        raise Wrong("manifest.json is not written as it was signed")
    return dict(signed)


def check(pack: Pack) -> dict[str, Any]:
    """Everything but whose key it is; returns the signed manifest."""
    signed = manifest_of(pack)
    listed = {file["name"]: file for file in signed["payload"]["files"]}
    there = [name for name in pack.names() if name != MANIFEST]
    if len(listed) != len(signed["payload"]["files"]) or MANIFEST in listed:
        raise Wrong("the manifest lists a file twice")
    problems = [f"{name} is missing" for name in listed if name not in there]
    problems += [
        f"{name} is not in the manifest, or twice" for name in set(there) if name not in listed or there.count(name) > 1
    ]
    for name, file in listed.items():
        if name in there:
            digest, size = hashlib.sha256(), 0
            for piece in pack.pieces(name):
                digest.update(piece)
                size += len(piece)
            if (digest.hexdigest(), size) != (file["sha256"], file["bytes"]):
                problems.append(f"{name} was altered")
    if problems:
        raise Wrong("; ".join(sorted(problems)))
    pack.check_seal([*listed, MANIFEST])
    return signed


def keys_of(given: list[str]) -> set[str]:
    """Keys as they were given: as text, or in files."""
    found: set[str] = set()
    for each in given:
        path = pathlib.Path(each)
        text = each if re.fullmatch(r"[0-9a-fA-F]{64}", each) else path.read_text() if path.is_file() else ""
        keys = {key.lower() for key in re.findall(r"\b[0-9a-fA-F]{64}\b", text)}
        if not keys:
            raise Unchecked(f"this is no key of 64 hex digits, and no file with some: {each[:80]}")
        found |= keys
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Verifies an evidence pack.")
    parser.add_argument("pack", type=pathlib.Path)
    parser.add_argument("--key", action="append", default=[], help="64 hex digits, or a file with one on each line")
    options = parser.parse_args()
    try:
        keys = keys_of(options.key)
        if not options.pack.exists():
            raise Unchecked(f"there is no such file: {options.pack}")
        signed = check(Pack(options.pack))
    except Unchecked as problem:
        print(f"NOT CHECKED: {problem}")
        return UNCHECKED
    except Wrong as problem:
        print(f"WRONG: {problem}")
        return WRONG
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as problem:
        print(f"WRONG: the file cannot be read: {problem}")
        return WRONG
    except Exception as problem:  # a damaged zip file may raise anything, such as zlib.error
        print(f"WRONG: the file is damaged: {type(problem).__name__}")
        return WRONG
    told = signed["payload"]
    if keys and signed["key"].lower() not in keys:
        print(f"WRONG: signed with the key {signed['key']}, which is none of those given")
        return WRONG
    print(f"{len(told['files'])} files, {told['first_day']} to {told['last_day']}, made at {told['made_at']}")
    print(f"signed at {signed['signed_at']} with the key {signed['key']}")
    if not keys:
        print("UNVOUCHED: all agrees, but no --key was given: anybody could have made this pack.")
        return UNVOUCHED
    print("RIGHT: nothing was altered since it was signed.")
    return RIGHT


if __name__ == "__main__":
    sys.exit(main())
