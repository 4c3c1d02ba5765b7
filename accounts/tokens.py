"""The text form of API keys. Pure: no database, no Django.

`pcl_<environment>_<public id, 12>_<secret, 43>_<CRC-32, 6>`, each part but the first two in base62. The secret carries
256 random bits; the checksum covers everything before it, so that a mistyped key costs no look-up. What is stored of
a key is HMAC-SHA-256 over the whole text under a versioned pepper.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

ENVIRONMENTS = ("dev", "staging", "production")

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PATTERN = re.compile(r"pcl_(dev|staging|production)_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})")
_LONGEST = 90
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""The base62 form of each number below 62 * 62."""


@dataclass(frozen=True, slots=True)
class Token:
    """A key's text, well-formed. Its representation does not show the secret."""

    environment: str
    public_id: str
    text: str = field(repr=False)

    @property
    def last_four(self) -> str:
        """The end of the secret part, which people recognise a key by."""
        return self.text[-11:-7]


def generate(environment: str) -> Token:
    """A new key for `environment` (one of ENVIRONMENTS)."""
    public_id = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    body = f"pcl_{environment}_{public_id}_{_base62(secrets.randbits(256), width=43)}"
    return Token(environment, public_id, f"{body}_{_checksum(body)}")


def parse(text: str) -> Token | None:
    """The key that `text` is, or None when its form or its checksum is wrong."""
    if len(text) > _LONGEST:
        return None
    match = _PATTERN.fullmatch(text)
    if match is None or _checksum(text[:-7]) != match[4]:
        return None
    return Token(match[1], match[2], text)


def digest(text: str, *, pepper: bytes) -> bytes:
    """What is stored of a key: 32 bytes."""
    mac = _keyed(pepper).copy()
    mac.update(text.encode())
    return mac.digest()


def matches(text: str, *, stored: bytes, version: int, peppers: Mapping[int, bytes]) -> bool:
    """Whether `text` is the key whose digest was stored under pepper `version`; takes the same time either way."""
    pepper = peppers.get(version)
    return pepper is not None and hmac.compare_digest(digest(text, pepper=pepper), stored)


def masked(*, environment: str, public_id: str, last_four: str) -> str:
    """What may be shown of a key."""
    return f"pcl_{environment}_{public_id}_…{last_four}"


@lru_cache(maxsize=8)
def _keyed(pepper: bytes) -> hmac.HMAC:
    """HMAC that has taken in its key; to begin anew each time costs twice as much as all the rest of it."""
    return hmac.new(pepper, digestmod=hashlib.sha256)


def _checksum(body: str) -> str:
    """The CRC-32 in six digits of base62."""
    rest, last = divmod(zlib.crc32(body.encode()), 3844)
    first, middle = divmod(rest, 3844)
    return _PAIRS[first] + _PAIRS[middle] + _PAIRS[last]


def _base62(number: int, *, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
