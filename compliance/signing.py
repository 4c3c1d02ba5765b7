"""Signatures under what this installation hands out: receipts, certificates, reports, exports (Ed25519, RFC 8032).

What is signed is the canonical JSON (RFC 8785, without floats) of the document around it, so that a signature made for
one kind of document fits no other.
"""

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.utils import timezone

from compliance.actions.signing_keys import make_signing_key
from compliance.contracts import SYSTEM
from compliance.keyring import signers

Signed = dict[str, Any]


def sign(document: Mapping[str, Any], *, kind: str) -> Signed:
    """`document` with kind, time, public key (hex) and signature (base64), as JSON values.

    Raises:
        TypeError: the document holds something that is not of JSON, or a float, which not everybody writes alike.
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    private = signers.current() or _first()
    rest = {
        "payload": _plain(document),
        "kind": kind,
        "signed_at": timezone.now().isoformat(),
        "key": private.public_key().public_bytes_raw().hex(),
    }
    return {**rest, "signature": base64.b64encode(private.sign(canonical(rest))).decode()}


def verify(signed: Mapping[str, Any], *, public: Collection[bytes]) -> bool:
    """Whether one of those keys signed exactly this. Needs nothing but its arguments."""
    rest = {name: value for name, value in signed.items() if name != "signature"}
    try:
        key = bytes.fromhex(signed["key"])
        if key not in public:
            return False
        signature = base64.b64decode(signed["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, canonical(rest))
    except (InvalidSignature, KeyError, TypeError, ValueError, binascii.Error):
        return False
    return True


def public_keys() -> list[bytes]:
    """The keys that this installation's signatures verify by, the newest first. Hand them out beside what is signed.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    return signers.public_keys()


def canonical(document: Any) -> bytes:
    """RFC 8785: keys sorted by UTF-16 code units, no spaces, UTF-8.

    Raises:
        TypeError: something in it is not of JSON, or a float.
    """
    return json.dumps(_plain(document), ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case Mapping():
            return {key: _plain(value[key]) for key in sorted(value, key=_by_code_units)}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            raise TypeError(f"{type(value).__name__} cannot be signed: make it a text or a whole number")


def _by_code_units(key: Any) -> bytes:
    if not isinstance(key, str):
        raise TypeError(f"{type(key).__name__} is no name in JSON")
    return key.encode("utf-16-be")


def _first() -> Ed25519PrivateKey:
    make_signing_key(by=SYSTEM)
    private = signers.current()
    assert private is not None
    return private
