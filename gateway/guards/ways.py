"""In how many ways an expression can match the same text: what `re`, which tries one after another, takes at worst.

Counted on the expression's parts: a repeat whose character can also begin what follows may end at any of its lengths;
one that cannot, only at its end. Alternatives that begin alike may all be tried; repeats of what has ways multiply. The
result bounds the tries that begin at one place; the parse is that of Python's own `re`.
"""

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from msgspec import Struct

_parser: Any = import_module("re._parser")  # `re` has no public way to ask for the parts of an expression

MOST = 10**6
_OTHER = 128
"""Stands for all characters beyond ASCII."""

_ALL = frozenset(range(_OTHER + 1))
_WORD = frozenset(code for code in range(128) if chr(code).isalnum() or code == ord("_"))
_DIGIT = frozenset(range(ord("0"), ord("9") + 1))
_SPACE = frozenset(map(ord, " \t\n\r\f\v"))
_CATEGORIES = {
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": _ALL - _WORD,
    "CATEGORY_DIGIT": _DIGIT,
    "CATEGORY_NOT_DIGIT": _ALL - _DIGIT,
    "CATEGORY_SPACE": _SPACE,
    "CATEGORY_NOT_SPACE": _ALL - _SPACE,
}
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_BOUNDARIES = ("AT_BOUNDARY", "AT_NON_BOUNDARY")


class Unsuited(ValueError):
    """Why it is no expression that could be a pattern, for whoever wrote it."""


class _Part(Struct, frozen=True):
    """What is known of a part: its ways, the characters it can begin with, and whether it can be empty."""

    ways: int
    begins: frozenset[int]
    empty: bool


def ways_of(expression: str) -> tuple[int, int, int]:
    """How many characters a match has at least and at most, and in how many ways a text may match.

    Raises:
        Unsuited: it is not an expression, or looks around, refers back or is bound to an end of the text.
    """
    try:
        re.compile(expression)
        parsed = _parser.parse(expression)
    except (re.error, RecursionError, OverflowError) as error:
        raise Unsuited(f"It is not an expression: {error}.") from error
    least, most = parsed.getwidth()
    return int(least), int(most), _sequence(parsed, frozenset()).ways


def _sequence(nodes: Iterable[tuple[Any, Any]], follow: frozenset[int]) -> _Part:
    """`follow`: what can come behind it."""
    ways, begins, empty = 1, frozenset[int](), True
    for name, value in reversed([(str(op), value) for op, value in nodes]):
        part = _part(name, value, begins | follow if empty else begins)
        ways = min(ways * part.ways, MOST)
        begins = part.begins | begins if part.empty else part.begins
        empty = empty and part.empty
    return _Part(ways, begins, empty)


def _part(name: str, value: Any, follow: frozenset[int]) -> _Part:
    if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        return _Part(1, _characters(name, value), False)
    if name == "SUBPATTERN":
        return _sequence(value[-1], follow)
    if name == "BRANCH":
        return _branch([_sequence(each, follow) for each in value[1]])
    if name in _REPEATS:
        return _repeat(value[0], int(value[1]), value[2], follow)
    if name == "AT" and str(value) in _BOUNDARIES:
        return _Part(1, frozenset(), True)
    raise Unsuited(_WHY.get(name, "It uses something that patterns cannot."))


_WHY = {
    "AT": "It has ^ or $; a pattern is found anywhere in a text. Use \\b for the edge of a word, \\^ or \\$ for signs.",
    "ASSERT": "It looks around, which a pattern cannot.",
    "ASSERT_NOT": "It looks around, which a pattern cannot.",
    "GROUPREF": "It refers back to a group, which a pattern cannot.",
    "GROUPREF_EXISTS": "It refers back to a group, which a pattern cannot.",
}


def _branch(parts: Sequence[_Part]) -> _Part:
    begins = frozenset[int]().union(*(part.begins for part in parts))
    apart = len(begins) == sum(len(part.begins) for part in parts) and not any(part.empty for part in parts)
    ways = max(part.ways for part in parts) if apart else sum(part.ways for part in parts)
    return _Part(min(ways, MOST), begins, any(part.empty for part in parts))


def _repeat(least: int, most: int, inner: Any, follow: frozenset[int]) -> _Part:
    once = _sequence(inner, follow)
    once = _sequence(inner, follow | once.begins)
    if once.empty and most > 1:
        raise Unsuited("It repeats what may be empty.")
    most = min(most, MOST)
    ends = 1 if least == most or not (once.begins & follow) else most - least + 1
    through = 1 if once.ways == 1 else MOST if once.ways ** min(most, 20) > MOST else once.ways**most
    return _Part(min(ends * through, MOST), once.begins, least == 0 or once.empty)


def _characters(name: str, value: Any) -> frozenset[int]:
    """In either case, whatever the flags."""
    if name == "ANY":
        return _ALL
    if name == "LITERAL":
        return _either_case([min(value, _OTHER)])
    if name == "NOT_LITERAL":
        return _ALL - {value}
    found: set[int] = set()
    negated = False
    for op, each in value:
        kind = str(op)
        if kind == "NEGATE":
            negated = True
        elif kind == "RANGE":
            found.update(min(code, _OTHER) for code in range(each[0], min(each[1], _OTHER) + 1))
            found.update([_OTHER] if each[1] >= _OTHER else [])
        else:
            found |= _CATEGORIES[str(each)] if kind == "CATEGORY" else {min(each, _OTHER)}
    return _ALL - (found - {_OTHER}) if negated else _either_case(found)


def _either_case(codes: Iterable[int]) -> frozenset[int]:
    each = set(codes)
    return frozenset(each | {ord(chr(code).swapcase()) for code in each if code < _OTHER})
