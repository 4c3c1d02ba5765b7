"""Patterns of tenants: what they may say is checked when they are saved, so that any text takes linear time. Pure.

They are written as in Python, and letters, digits and spaces are those of ASCII, for texts are folded before. Hyperscan
tells in the one pass whether a pattern occurs at all; where it does, `re` is tried, whose ways are few by `ways.py`.
"""

import re
from collections.abc import Callable
from functools import lru_cache

import hyperscan

from gateway.guards.base import CORE_MOST, Around, Custom, Rule
from gateway.guards.folding import fold
from gateway.guards.ways import Unsuited, ways_of

NAME = "patterns"
EXPRESSION_MOST = 500
WAYS_MOST = 64
SIZE_MOST_BYTES = 512 * 1024
"""Of a pattern once compiled: one with many wide repeats takes more."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_LEADING_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_NOT_QUESTION_MARK = re.compile(r"\[\^[^\]]*\?|\\[xuUN0-7]")
_FLAGS_KNOWN = frozenset("is")


class PatternRefused(ValueError):
    """Why a pattern cannot be saved, for whoever wrote it."""


def check(name: str, expression: str) -> None:
    """Whether a pattern can be matched in linear time, and in streams.

    Raises:
        PatternRefused: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise PatternRefused("The name has letters, digits and _, at most 40, and begins with a letter: EMPLOYEE_ID.")
    if not expression.strip():
        raise PatternRefused("The expression is empty.")
    if len(expression) > EXPRESSION_MOST:
        raise PatternRefused(f"The expression has {len(expression)} characters; {EXPRESSION_MOST} are allowed.")
    if not expression.isprintable():
        raise PatternRefused("The expression has characters that are not seen; write them as \\n, \\t or \\xa0.")
    _check(_written(expression))


def rule(custom: Custom) -> Rule:
    """What finds it.

    Raises:
        PatternRefused: it was not checked.
    """
    expression = _written(custom.expression)
    _check(expression)
    return Rule(
        guard=NAME, name=custom.name, scan=_scanned(expression), pattern=expression, check=_sure(custom.score), first=35
    )


def _sure(score: float) -> Callable[[str, Around], float] | None:
    return None if score >= 1.0 else lambda value, around: score


def _written(expression: str) -> str:
    """As `re` gets it: of ASCII's classes, and its letters folded as those of texts are."""
    flags = ""
    if found := _LEADING_FLAGS.match(expression):
        flags, expression = found[1], expression[found.end() :]
        if unknown := set(flags) - _FLAGS_KNOWN:
            raise PatternRefused(f"Of flags, i (any case) and s (. is any character) are known, not {min(unknown)}.")
    return f"(?a{flags})" + "".join(fold(each) if each.isalnum() else each for each in expression)


@lru_cache(1024)
def _check(expression: str) -> None:
    try:
        least, most, ways = ways_of(expression)
    except Unsuited as error:
        raise PatternRefused(str(error)) from error
    if least == 0:
        raise PatternRefused("It matches where there is nothing; at least one character must be certain.")
    if most > CORE_MOST:
        found = "any number of characters" if most > 10_000 else f"up to {most} characters"
        raise PatternRefused(
            f"It matches {found}; at most {CORE_MOST} can be held back of a stream. "
            "Give repeats an upper bound: {1,20} instead of + or *."
        )
    if ways > WAYS_MOST:
        raise PatternRefused(
            "It can match the same text in too many ways, so that some texts would take very long. Let what follows a "
            "repeat differ from what is repeated, and do not repeat what repeats."
        )
    _compile(_plain(expression))


def _compile(expression: str) -> None:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(expressions=[expression.encode()], ids=[0], elements=1, flags=[hyperscan.HS_FLAG_SINGLEMATCH])
    except hyperscan.HyperscanError as error:
        raise PatternRefused(_said(error)) from error
    if database.size() > SIZE_MOST_BYTES:
        raise PatternRefused("It is too large: use fewer alternatives, or narrower repeats.")


def _said(error: Exception) -> str:
    detail = str(error).strip().rstrip(".")
    if "too large" in detail.lower():
        return "It is too large: use fewer alternatives, or narrower repeats."
    return f"It uses something that patterns cannot: {detail}."


def _scanned(expression: str) -> str:
    """For the one pass, in which what is not ASCII is a question mark: too much may be found, never too little."""
    plain = _plain(expression)
    return plain if plain.isascii() and not _NOT_QUESTION_MARK.search(plain) else "."


def _plain(expression: str) -> str:
    """Without the flag that Hyperscan does not know: its classes are ASCII's anyway."""
    flags, rest = expression[len("(?a") :].split(")", 1)
    return f"(?{flags}){rest}" if flags else rest
