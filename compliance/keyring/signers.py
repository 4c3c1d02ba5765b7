"""Reads the keys that sign. The private one stays in the process for at most a minute."""

import threading
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from compliance.errors import DecryptionFailed
from compliance.keyring.models import SigningKey
from compliance.keyring.roots import root_keys
from compliance.keyring.store import CACHED_S, answering

_lock = threading.Lock()
_cached: tuple[float, int, Ed25519PrivateKey] | None = None


def current() -> Ed25519PrivateKey | None:
    """The key that signs now, the newest one; None before there is any.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
        DecryptionFailed: its root key is not at hand, or the row was altered.
    """
    with answering():
        newest = SigningKey.objects.order_by("-id").first()
    return _opened(newest) if newest is not None else None


def private_of(public: bytes) -> Ed25519PrivateKey | None:
    """The private key to a public one, also an older one; None where there is none.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
        DecryptionFailed: its root key is not at hand, or the row was altered.
    """
    with answering():
        row = SigningKey.objects.filter(public=public).order_by("-id").first()
    return _opened(row) if row is not None else None


def public_keys() -> list[bytes]:
    """All public keys, the newest first.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    with answering():
        return [bytes(key) for key in SigningKey.objects.order_by("-id").values_list("public", flat=True)]


@dataclass(frozen=True, slots=True)
class Span:
    """A public key, and from when until when its private one has signed; until None: it does so now."""

    public: bytes
    since: datetime
    until: datetime | None


def spans() -> list[Span]:
    """All public keys with their times, the newest first.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    with answering():
        rows = list(SigningKey.objects.order_by("-id").values_list("public", "created_at"))
    ends = [None, *(since for _, since in rows)]
    return [Span(bytes(public), since, until) for (public, since), until in zip(rows, ends, strict=False)]


def place_of(public: bytes) -> str:
    """Where a wrapped private key belongs."""
    return f"signing-key/{public.hex()}"


def _opened(row: SigningKey) -> Ed25519PrivateKey:
    global _cached
    with _lock:
        if _cached is not None and _cached[1] == row.pk and monotonic() - _cached[0] < CACHED_S:
            return _cached[2]
    public = bytes(row.public)
    private = Ed25519PrivateKey.from_private_bytes(root_keys().unwrap(bytes(row.wrapped), context=place_of(public)))
    if private.public_key().public_bytes_raw() != public:
        raise DecryptionFailed("the signing key is another one than its row says")
    with _lock:
        _cached = (monotonic(), row.pk, private)
    return private
