"""Names for people that tell nothing about them: random, unlike a pseudonym, which can be recomputed. Pure."""

import base64
import secrets

PREFIX = "eu_"
_BYTES = 15


def generate() -> str:
    """A new surrogate: `eu_` and 24 characters of base32 (120 random bits)."""
    return PREFIX + base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()
