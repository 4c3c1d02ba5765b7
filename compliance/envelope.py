"""Sealing of records under a person's data key, and of keys under other keys. Pure.

Layout of a record: magic (3 bytes) | layout (1) | algorithm (1) | id of the data key (16) | salt (32) | commitment (32)
| nonce (12) | ciphertext | tag (16). HKDF-SHA256 (RFC 5869) makes of data key, salt and place a key of the record's own
and the commitment, so that AES-256-GCM's limits per key do not bind and a wrong key is told from a damaged record.
"""

import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from compliance.errors import DecryptionFailed, WrongKey

KEY_BYTES = 32
NONCE_BYTES = 12
MAGIC = b"PcR"
LAYOUT = 1
AES_256_GCM = 1
OVERHEAD = 113
"""By how many bytes a sealed record is longer than its plaintext."""

_START = MAGIC + bytes([LAYOUT, AES_256_GCM])
_ID = len(_START)
_SALT = _ID + 16
_SALT_BYTES = 32
_COMMITMENT = _SALT + _SALT_BYTES
_NONCE = _COMMITMENT + 32
_BODY = _NONCE + NONCE_BYTES
_TAG = 16

_SHA256 = SHA256()
_WRAP_LAYOUT = b"\x01"
_WRAPPED_NONCE = 12
_WRAPPED_BODY = len(_WRAP_LAYOUT) + _WRAPPED_NONCE


class Place(Struct, frozen=True):
    """Where a record belongs; it opens nowhere else. `purpose` is why it is kept, as in `store_conversations`."""

    tenant_id: int
    surrogate: str
    record_type: str
    record_id: str
    purpose: str
    schema_version: int = 1

    def canonical(self) -> bytes:
        """The place in bytes: each part behind its length, so that no two places read alike."""
        before, behind = self.around_record_id()
        return before + _part(self.record_id) + behind

    def around_record_id(self) -> tuple[bytes, bytes]:
        """What stands before and behind the record's id there."""
        return Places(self).around_record_id(self.surrogate)


class Places:
    """Where records belong that differ from that of `like` by person and id only."""

    __slots__ = ("_behind", "_tenant", "_type")

    def __init__(self, like: Place) -> None:
        self._tenant, self._type = _part(str(like.tenant_id)), _part(like.record_type)
        self._behind = _part(like.purpose) + _part(str(like.schema_version))

    def around_record_id(self, surrogate: str) -> tuple[bytes, bytes]:
        """What stands before and behind the id of a record of that person."""
        return self._tenant + _part(surrogate) + self._type, self._behind


class Salt:
    """Random bytes that HKDF's first step begins with. Records that are sealed together may share them, also under
    different keys: a salt is no secret, and may be used again (RFC 5869, section 3.1)."""

    def __init__(self) -> None:
        self.salt = secrets.token_bytes(_SALT_BYTES)
        self._extract = HMAC(self.salt, _SHA256)

    def extract(self, key: bytes) -> bytes:
        """What HKDF makes of a key in its first step."""
        step = self._extract.copy()
        step.update(key)
        return step.finalize()


class Sealer:
    """Encrypts many records under one data key (32 bytes; its id: 16), which belong to places that differ by their ids
    only: `around` is what stands before and behind those.

    HKDF's first step is done once for all of them, and its second one makes of each place a key of its own.
    """

    __slots__ = ("_before", "_behind", "_expand", "_head")

    def __init__(self, key: bytes, *, key_id: bytes, around: tuple[bytes, bytes], salt: Salt) -> None:
        self._expand = HMAC(salt.extract(key), _SHA256)
        self._head = _START + key_id + salt.salt
        self._before, self._behind = around

    def seal(self, plaintext: bytes, *, record_id: str, nonce: bytes) -> bytes:
        """The record; `nonce` are 12 random bytes that nothing else was sealed with."""
        where = self._before + _part(record_id) + self._behind
        first = self._expand.copy()
        first.update(where + b"\x01")
        record_key = first.finalize()
        second = self._expand.copy()
        second.update(record_key + where + b"\x02")
        head = self._head + second.finalize() + nonce
        return head + AESGCM(record_key).encrypt(nonce, plaintext, head + where)


def seal_record(plaintext: bytes, *, key: bytes, key_id: UUID, place: Place) -> bytes:
    """Encrypts `plaintext` under a person's data key (32 bytes), bound to `place`."""
    sealer = Sealer(key, key_id=key_id.bytes, around=place.around_record_id(), salt=Salt())
    return sealer.seal(plaintext, record_id=place.record_id, nonce=secrets.token_bytes(NONCE_BYTES))


def open_record(sealed: bytes, *, key: bytes, place: Place) -> bytes:
    """Decrypts what `seal_record` made.

    Raises:
        WrongKey: it was sealed under another key or for another place.
        DecryptionFailed: the bytes were altered, or are no sealed record.
    """
    _expect_record(sealed)
    where = place.canonical()
    record_key, commitment = _derive(key, salt=sealed[_SALT:_COMMITMENT], info=where)
    if not hmac.compare_digest(commitment, sealed[_COMMITMENT:_NONCE]):
        raise WrongKey("the record was sealed under another key or belongs elsewhere")
    try:
        return AESGCM(record_key).decrypt(sealed[_NONCE:_BODY], sealed[_BODY:], sealed[:_BODY] + where)
    except InvalidTag as error:
        raise DecryptionFailed("the record was altered") from error


def key_id_of(sealed: bytes) -> UUID:
    """The id of the data key that a record needs.

    Raises:
        DecryptionFailed: the bytes are no sealed record.
    """
    _expect_record(sealed)
    return UUID(bytes=bytes(sealed[_ID:_SALT]))


def new_key() -> bytes:
    """A random key: derived from nothing, so that nothing brings it back."""
    return secrets.token_bytes(KEY_BYTES)


def wrap(key: bytes, *, under: bytes, context: str) -> bytes:
    """Encrypts a key under another one (AES-256-GCM, random nonce); `context` names the place that it belongs to."""
    nonce = secrets.token_bytes(_WRAPPED_NONCE)
    return _WRAP_LAYOUT + nonce + AESGCM(under).encrypt(nonce, key, _WRAP_LAYOUT + context.encode())


def unwrap(wrapped: bytes, *, under: bytes, context: str) -> bytes:
    """Decrypts what `wrap` made.

    Raises:
        DecryptionFailed: it was wrapped under another key or for another place, or was altered.
    """
    return Unwrapper(under).unwrap(wrapped, context=context)


class Unwrapper:
    """Decrypts many keys that `wrap` encrypted under one."""

    def __init__(self, under: bytes) -> None:
        self._cipher = AESGCM(under)

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """The key.

        Raises:
            DecryptionFailed: it was wrapped under another key or for another place, or was altered.
        """
        if wrapped[:1] != _WRAP_LAYOUT:
            raise DecryptionFailed("the wrapped key has a layout that is not known here")
        try:
            return self._cipher.decrypt(
                wrapped[1:_WRAPPED_BODY], wrapped[_WRAPPED_BODY:], _WRAP_LAYOUT + context.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise DecryptionFailed("the wrapped key was altered, belongs elsewhere or needs another key") from error


def fingerprint(key: bytes) -> bytes:
    """What a key is recognised by after its destruction (32 bytes); tells nothing about a random key."""
    return hashlib.sha256(b"portcullis key fingerprint\x00" + key).digest()


def _part(text: str) -> bytes:
    part = text.encode()
    return len(part).to_bytes(4, "big") + part


def _derive(key: bytes, *, salt: bytes, info: bytes) -> tuple[bytes, bytes]:
    """The record's own key and the commitment (RFC 5869)."""
    derived = HKDF(algorithm=_SHA256, length=64, salt=salt, info=info).derive(key)
    return derived[:32], derived[32:]


def _expect_record(sealed: bytes) -> None:
    if len(sealed) < _BODY + _TAG or sealed[:_ID] != _START:
        raise DecryptionFailed("this is no sealed record, or one of a newer layout")
