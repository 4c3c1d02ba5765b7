"""Finds API keys of this installation's form in any bytes. Whether a key exists is not known here.

Looked for are the characters as they are: a key has none that JSON must escape. Whoever escapes or splits one on
purpose hides it, as they could in many other ways.
"""

import re
from dataclasses import dataclass, field

from accounts import tokens

PREFIX = b"pcl_"
MOST_LOOKS = 1000
"""Places with the prefix that are looked at: of bytes that are full of it the rest costs nothing."""
MOST_FOUND = 20

may_hold_one = re.compile(PREFIX).search
"""Whether the prefix is in some bytes. As a pattern, since that costs half of what `bytes.find` does: 2 µs for 2 kB."""

_KEY = re.compile(rb"pcl_(?:dev|staging|production)_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A key's text that was seen. `place`: as in `prompt`; `url` and `request_id` where there is one."""

    text: str = field(repr=False)
    source: str
    place: str = ""
    url: str = ""
    request_id: str = ""


def keys_in(data: bytes) -> list[str]:
    """The texts in `data` that have the form of a key and its checksum, each once, at most `MOST_FOUND`."""
    found: dict[str, None] = {}
    at = data.find(PREFIX)
    for _ in range(MOST_LOOKS):
        if at < 0 or len(found) >= MOST_FOUND:
            break
        match = _KEY.match(data, at)
        text = match[0].decode() if match else ""
        if text and tokens.parse(text):
            found[text] = None
        at = data.find(PREFIX, at + len(PREFIX))
    return list(found)
