"""Checkpoints: https://c2sp.org/tlog-checkpoint in https://c2sp.org/signed-note, signed with Ed25519. Pure, with the
standard library and `cryptography` only.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
MOST_SIGNATURES = 16
_LINE = re.compile("— ([^ +]+) ([A-Za-z0-9+/]+={0,2})")
_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class InvalidNote(ValueError):
    """The text is no signed note or checkpoint, or nobody who is trusted has signed it."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key (32 bytes) and the name it signs by."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.public)

    def __str__(self) -> str:
        return verifier_key(self.name, self.public)


@dataclass(frozen=True, slots=True)
class Signature:
    """A line under a note. It says who has signed; only `opened` tells whether that is so."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was at a size."""

    origin: str
    size: int
    root: bytes


def key_id(name: str, public: bytes) -> bytes:
    """Four bytes by which a signature names its key."""
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def verifier_key(name: str, public: bytes) -> str:
    """The text that tools of transparency logs take a public key as: `name+key id+base64`."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


def parse_verifier_key(text: str) -> Verifier:
    """What `verifier_key` wrote.

    Raises:
        InvalidNote: it is no such text, or of another kind of key.
    """
    name, _, rest = text.strip().partition("+")
    claimed, _, encoded = rest.partition("+")
    key = _decoded(encoded)
    if not _NAME.fullmatch(name) or len(key) != 33 or key[:1] != ED25519:
        raise InvalidNote("this is no verifier key for Ed25519, which looks like name+12345678+AaBb…")
    verifier = Verifier(name, key[1:])
    if verifier.key_id.hex() != claimed:
        raise InvalidNote("the verifier key was altered: its parts do not fit each other")
    return verifier


def sign(text: str, *, name: str, keys: Iterable[Ed25519PrivateKey]) -> str:
    """The note of a text, which ends with a newline, signed by each of `keys` under one name.

    Raises:
        InvalidNote: the text or the name is none that a note may have.
    """
    if not text.endswith("\n") or any(char < " " for char in text if char != "\n"):
        raise InvalidNote("a note ends with a newline, and has no other control characters")
    if not _NAME.fullmatch(name):
        raise InvalidNote("a name has no spaces and no plus")
    return text + "\n" + "".join(_signed(text, name, key) for key in keys)


def signatures_of(note: str) -> list[Signature]:
    """Who says to have signed a note.

    Raises:
        InvalidNote: it is none.
    """
    return [_signature(line) for line in _parts(note)[1]]


def opened(note: str, *, verifiers: Collection[Verifier]) -> tuple[str, list[Verifier]]:
    """The text of a note, and which of `verifiers` have signed it: one at least.

    Signatures of others are ignored, as the specification says; a wrong one of a known key is not.

    Raises:
        InvalidNote: it is none, none of them has signed it, or a signature is wrong.
    """
    text, lines = _parts(note)
    known = {(each.name, each.key_id): each for each in verifiers}
    found: list[Verifier] = []
    for signature in map(_signature, lines):
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None or verifier in found:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature.signature, text.encode())
        except InvalidSignature as error:
            raise InvalidNote(f"the signature by {verifier.name} is wrong") from error
        found.append(verifier)
    if not found:
        raise InvalidNote("no trusted key has signed it")
    return text, found


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The text of a checkpoint's note."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """A checkpoint out of a note's text, or out of a note whose signatures somebody else has looked at.

    Raises:
        InvalidNote: it is none.
    """
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise InvalidNote("this is no checkpoint: origin, size and root, a line each")
    root = _decoded(lines[2])
    if len(root) != 32:
        raise InvalidNote("the root of a checkpoint has 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), root)


def sign_checkpoint(checkpoint: Checkpoint, *, keys: Sequence[Ed25519PrivateKey]) -> str:
    """The note of a checkpoint, signed by each of `keys` in the name of the log's origin."""
    return sign(checkpoint_text(checkpoint), name=checkpoint.origin, keys=keys)


def open_checkpoint(note: str, *, origin: str, publics: Iterable[bytes]) -> Checkpoint:
    """The checkpoint of that log in a note that one of these public keys at least has signed.

    Raises:
        InvalidNote: it is none, of another log, or nobody trusted has signed it.
    """
    text, _ = opened(note, verifiers=[Verifier(origin, public) for public in publics])
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != origin:
        raise InvalidNote(f"this is a checkpoint of {checkpoint.origin}, not of {origin}")
    return checkpoint


def _signed(text: str, name: str, key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes_raw()
    signature = key_id(name, public) + key.sign(text.encode())
    return f"— {name} {base64.b64encode(signature).decode()}\n"


def _parts(note: str) -> tuple[str, list[str]]:
    text, gap, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not gap or lines.pop() != "" or not 1 <= len(lines) <= MOST_SIGNATURES:
        raise InvalidNote("this is no signed note: a text, an empty line, signatures")
    if any(char < " " for char in note if char != "\n"):
        raise InvalidNote("a note has no control characters but newlines")
    return text + "\n", lines


def _signature(line: str) -> Signature:
    found = _LINE.fullmatch(line)
    signed = _decoded(found[2]) if found else b""
    if found is None or len(signed) <= 4:
        raise InvalidNote("a line under the note is no signature")
    return Signature(found[1], signed[:4], signed[4:])


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidNote("this is not base64") from error
