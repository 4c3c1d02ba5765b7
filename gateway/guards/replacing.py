"""What stands instead of what is redacted: a label, a mask, a hash. Placeholders: see `guards/placeholders.py`."""

import hashlib
from collections.abc import Callable

from gateway.guards.base import Finding, Guarding, Replacement, Terms

Replacer = Callable[[Finding, str, Terms], str]
"""The value as it stood, to what stands instead. Gets at most the first `tracks.VALUE_MOST` characters."""

MASK_MOST = 64
"""Characters of a mask: how long a long secret was is nobody's business."""

_HASH_DIGITS = 12


def replacer(guarding: Guarding) -> Replacer:
    """As policy says of each guard; a label where it says placeholder, for which a conversation is needed."""

    def instead(finding: Finding, value: str, terms: Terms) -> str:
        if terms.replacement == Replacement.MASK:
            return masked(value, shows=finding.shows)
        if terms.replacement == Replacement.HASH:
            return hashed(finding.rule, value, key=guarding.key)
        return label(finding.rule)

    return instead


def label(rule: str) -> str:
    """As `[EMAIL]`."""
    return f"[{rule.upper()}]"


def masked(value: str, *, shows: int = 0) -> str:
    """Asterisks, and of the last letters and digits the `shows` last, if that is less than half of them."""
    signs = [character for character in value if character.isalnum()]
    shown = "".join(signs[-shows:]) if 0 < 2 * shows < len(signs) else ""
    return "*" * min(max(len(value) - len(shown), 4), MASK_MOST) + shown


def hashed(rule: str, value: str, *, key: bytes) -> str:
    """As `[EMAIL:3f9a0c…]`: the same for the same value, whatever its case and separators, under one tenant's key."""
    plain = "".join(character for character in value.casefold() if character.isalnum() or character in "@.")
    digest = hashlib.blake2b(f"{rule}\0{plain}".encode(errors="replace"), key=key[:64], digest_size=_HASH_DIGITS // 2)
    return f"[{rule.upper()}:{digest.hexdigest()}]"
