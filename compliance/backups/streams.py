"""Authenticated encryption of streams of any length, in constant memory. Pure.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", 2015) over AES-256-GCM: equal chunks, each with its number and whether it is the last one in its
nonce, so that chunks that are missing, repeated, exchanged or cut off do not open.

Layout: magic (4 bytes) | layout (1) | version of the key (2) | bytes of a chunk (4) | nonce's prefix (7) | wrapping
nonce (12) | wrapped key (48) | chunks, each with a tag (16). Each stream has a random key of its own, wrapped under a
versioned one and bound to the stream's place; the whole header is associated data of every chunk.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from compliance.errors import BackupBroken, BackupKeyMissing

MAGIC = b"PcSt"
LAYOUT = 1
CHUNK_BYTES = 1 << 18
MOST_CHUNK_BYTES = 1 << 24
"""More than that nobody has to hold in memory, whatever a header says."""

_KEY_BYTES = 32
_NONCE_BYTES = 12
_PREFIX_BYTES = 7
_TAG_BYTES = 16
_VERSION = len(MAGIC) + 1
_CHUNK = _VERSION + 2
_PREFIX = _CHUNK + 4
_WRAP_NONCE = _PREFIX + _PREFIX_BYTES
_WRAPPED = _WRAP_NONCE + _NONCE_BYTES
HEADER_BYTES = _WRAPPED + _KEY_BYTES + _TAG_BYTES
_MOST_CHUNKS = 1 << 32


def sealed(
    plain: Iterable[bytes], *, keys: Mapping[int, bytes], place: str, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Encrypts under the newest of `keys` (version → 32 bytes); `place` names what the stream is, and binds it to that.

    Raises:
        OverflowError: there are more than 2^32 chunks.
    """
    version, key = max(keys), secrets.token_bytes(_KEY_BYTES)
    prefix, nonce = secrets.token_bytes(_PREFIX_BYTES), secrets.token_bytes(_NONCE_BYTES)
    head = MAGIC + bytes([LAYOUT]) + version.to_bytes(2, "big") + chunk_bytes.to_bytes(4, "big") + prefix + nonce
    header = head + AESGCM(keys[version]).encrypt(nonce, key, head + place.encode())
    yield header
    cipher = AESGCM(key)
    for number, is_last, chunk in _numbered(_cut(plain, chunk_bytes)):
        yield cipher.encrypt(_nonce(prefix, number, is_last=is_last), chunk, header)


def opened(stream: Iterable[bytes], *, keys: Mapping[int, bytes], place: str) -> Iterator[bytes]:
    """Decrypts what `sealed` made, chunk by chunk; nothing is handed out that was not checked.

    The stream is known to be whole only when the iterator ends without an error.

    Raises:
        BackupBroken: a byte was altered, something is missing, or the stream belongs elsewhere.
        BackupKeyMissing: the key is not among `keys`.
    """
    pieces = iter(stream)
    header, rest = _read_header(pieces)
    cipher, prefix = AESGCM(_unwrapped(header, keys, place)), header[_PREFIX:_WRAP_NONCE]
    sealed_bytes = int.from_bytes(header[_CHUNK:_PREFIX], "big") + _TAG_BYTES
    for number, is_last, chunk in _numbered(_cut(_joined(rest, pieces), sealed_bytes)):
        try:
            yield cipher.decrypt(_nonce(prefix, number, is_last=is_last), chunk, header)
        except InvalidTag as error:
            raise BackupBroken(_where(number)) from error


def key_version(header: bytes) -> int:
    """The version of the key that a stream needs, by its first bytes.

    Raises:
        BackupBroken: they are no header of a stream.
    """
    if len(header) < HEADER_BYTES or header[: len(MAGIC)] != MAGIC or header[len(MAGIC)] != LAYOUT:
        raise BackupBroken("It does not begin as an encrypted backup does.")
    return int.from_bytes(header[_VERSION:_CHUNK], "big")


def _unwrapped(header: bytes, keys: Mapping[int, bytes], place: str) -> bytes:
    version = key_version(header)
    if version not in keys:
        known = ", ".join(str(each) for each in sorted(keys)) or "none"
        raise BackupKeyMissing(f"It needs version {version} of the key of backups, and at hand are: {known}.")
    if not 0 < int.from_bytes(header[_CHUNK:_PREFIX], "big") <= MOST_CHUNK_BYTES:
        raise BackupBroken("Its header was altered.")
    try:
        nonce, wrapped = header[_WRAP_NONCE:_WRAPPED], header[_WRAPPED:]
        return AESGCM(keys[version]).decrypt(nonce, wrapped, header[:_WRAPPED] + place.encode())
    except InvalidTag as error:
        raise BackupBroken(
            f"Its header does not open: it was altered, belongs to another file or backup ({place}), or version "
            f"{version} of the key of backups is another key here."
        ) from error


def _read_header(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The header, and what came with it."""
    read = b""
    while len(read) < HEADER_BYTES and (piece := next(pieces, b"")):
        read += piece
    return read[:HEADER_BYTES], read[HEADER_BYTES:]


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in chunks of `size`; the last one is shorter, or empty where there is nothing at all."""
    left = bytearray()
    for piece in pieces:
        left += piece
        start = 0
        while len(left) - start > size:  # the last chunk is held back: it is sealed as such
            yield bytes(left[start : start + size])
            start += size
        del left[:start]
    yield bytes(left)


def _numbered(chunks: Iterator[bytes]) -> Iterator[tuple[int, bool, bytes]]:
    """Each chunk with its number and whether it is the last one."""
    chunk, number = next(chunks), 0
    for following in chunks:
        yield number, False, chunk
        chunk, number = following, number + 1
        if number >= _MOST_CHUNKS:
            raise OverflowError("a stream has room for 2^32 chunks")
    yield number, True, chunk


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([is_last])


def _where(number: int) -> str:
    return f"Chunk {number + 1} does not open: a byte was altered, or the file is cut off or put together from others."
