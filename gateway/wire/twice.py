"""JSON objects in which a name stands twice: readers do not agree on which of the values counts. Pure."""

import json
import re
from typing import Any

_NAME_ENDS = re.compile(rb'"\s*:')


def has_twice(data: bytes, value: Any) -> bool:
    """Whether JSON says more than `value`, which was read of it: each name that was left out counts."""
    # Each name ends in a quote and a colon, so where there are as many names as such pairs, or as colons, none was left
    # out. There are more pairs where a string has one, too.
    names = _names(value)
    return data.count(b":") != names and len(_NAME_ENDS.findall(data)) != names and _says_twice(data)


def _names(value: Any) -> int:
    names = 0
    parts = [value]
    for part in parts:
        if isinstance(part, dict):
            names += len(part)
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return names


def _says_twice(data: bytes) -> bool:
    found = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found |= len(dict(pairs)) != len(pairs)

    try:
        json.loads(data, object_pairs_hook=note, parse_int=len, parse_float=len)
    except RecursionError:
        return True
    return found
