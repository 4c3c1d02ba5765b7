"""Chunks of a streamed answer: where in them a text stands, and what is left of one without its texts. Pure."""

import re
from typing import Any

Path = tuple[str | int, ...]
"""Where a text stands in a chunk: number of the choice, then names of fields and numbers of elements."""

NOT_WRITTEN = frozenset(
    {"id", "object", "created", "model", "system_fingerprint", "service_tier", "usage", "choices", "obfuscation"}
)
"""Fields beside the texts: what an upstream says of its answer."""

MARKS = NOT_WRITTEN - {"choices", "usage"}
SHELL = ("index", "type")
"""Fields that say which element of an array is meant."""

_MARK = re.compile(r"(?=[^\d@]*[A-Za-z_])[\w./:-]{1,128}", re.ASCII)
_COUNTED = re.compile(r"[a-z_]{1,40}")


def number(numbered: dict[str, Any]) -> int:
    """Which choice, or which element of an array, something belongs to; the first where it does not say.

    Raises:
        ValueError: it does not say that with a number. Clients would not agree on what it belongs to.
    """
    index = numbered.get("index")
    if index is None:
        return 0
    if type(index) is not int or index < 0:
        raise ValueError("an index that is no number")
    return index


def bare(about: dict[str, Any]) -> dict[str, Any]:
    """The event that ends a choice, without the texts that went before it."""
    emptied = [
        {
            **{name: value for name, value in choice.items() if name not in ("message", "text", "logprobs")},
            "delta": {},
        }
        for choice in about["choices"]
        if isinstance(choice, dict)
    ]
    return {**about, "choices": emptied}


def place(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "choices" + "".join(steps)


def says_something(chunk: dict[str, Any]) -> bool:
    """Whether anything is left of a chunk but what holds its form together."""
    return any(_has_value(value, name) for name, value in chunk.items() if name not in MARKS)


def _has_value(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return any(_has_value(part, inner) for inner, part in value.items() if inner not in SHELL)
    if isinstance(value, list):
        return any(_has_value(part, name) for part in value)
    return bool(value)


def is_mark(value: Any) -> bool:
    """Whether what an upstream says of its answer has the form of an identifier, or of counts."""
    if isinstance(value, str):
        return not value or _MARK.fullmatch(value) is not None
    if isinstance(value, dict):
        return all(_COUNTED.fullmatch(name) and is_mark(part) for name, part in value.items())
    return not isinstance(value, list)
