"""Keyed hashes that stand for end users. Pure.

Applications name their end users in `safety_identifier` or `user`. A keyed hash of that, the same within a tenant and
another in any other, looks the person up in the one table that knows them (compliance.Subject), where they have a
random surrogate. Another keyed hash, of the surrogate, is what a provider gets to see of them.
"""

import base64
import hashlib

PREFIX = "eu_"
LENGTH = 27
_BYTES = 15
_UPSTREAM_BYTES = 12
_UPSTREAM = b"upstream"
"""Sets the hashes that providers see apart from lookups, whatever an application calls its people."""


def pseudonym(identifier: str, *, salt: bytes) -> str:
    """The pseudonym of an end user under a tenant's `salt`: `eu_` and 24 characters (BLAKE2b, RFC 7693, keyed)."""
    digest = hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), key=salt, digest_size=_BYTES).digest()
    return PREFIX + base64.b32encode(digest).decode().lower()


def upstream_pseudonym(surrogate: str, *, provider: str, salt: bytes) -> str:
    """What `provider` (its slug) knows the person by, the same each time: `eu_` and 24 hexadecimal digits."""
    named = f"{provider}\0{surrogate}".encode()
    return PREFIX + hashlib.blake2b(named, key=salt, person=_UPSTREAM, digest_size=_UPSTREAM_BYTES).hexdigest()


def is_pseudonym(text: str) -> bool:
    """Whether `text` has the form of a pseudonym or a surrogate, so that forms may take either."""
    body = text.removeprefix(PREFIX)
    return len(text) == LENGTH and text != body and set(body) <= set("abcdefghijklmnopqrstuvwxyz234567")
