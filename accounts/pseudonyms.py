"""Names for end users that tell nothing about them to who does not know them already. Pure.

Applications name their end users in `safety_identifier` or `user`. What is stored of that, in meters, usage records and
reports, is a keyed hash: the same person is the same pseudonym within a tenant, and nobody in any other.
"""

import base64
import hashlib

PREFIX = "eu_"
LENGTH = 27
_BYTES = 15


def pseudonym(identifier: str, *, salt: bytes) -> str:
    """The pseudonym of an end user under a tenant's `salt`: `eu_` and 24 characters (BLAKE2b, RFC 7693, keyed)."""
    digest = hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), key=salt, digest_size=_BYTES).digest()
    return PREFIX + base64.b32encode(digest).decode().lower()


def is_pseudonym(text: str) -> bool:
    """Whether `text` has the form of a pseudonym, so that forms may take either."""
    body = text.removeprefix(PREFIX)
    return len(text) == LENGTH and text != body and set(body) <= set("abcdefghijklmnopqrstuvwxyz234567")
