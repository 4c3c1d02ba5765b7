"""The one pass over a text: which of many expressions occur in it, in time linear in its length (Hyperscan)."""

import re
import threading
from contextlib import suppress
from functools import lru_cache

import hyperscan

_FLAGS = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_ALLOWEMPTY
_WORD_EDGE = re.compile(r"(?<!\\)((?:\\\\)*)\\[bB]")


class Unscannable(ValueError):
    """An expression that Hyperscan does not take; says why."""


class Scanner:
    """Expressions in one database. Safe between threads, one at a time. `once`: whether one match of each is enough."""

    def __init__(self, expressions: tuple[str, ...], *, once: bool = True) -> None:
        self._lock = threading.Lock()
        self._firsts: dict[int, int] = {}
        self._ends: list[int] = []
        self._most = 0
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        plain = [_WORD_EDGE.sub(r"\1", each).encode("ascii", "replace") for each in expressions]
        flags = _FLAGS | hyperscan.HS_FLAG_SINGLEMATCH if once else _FLAGS
        try:
            self._database.compile(
                expressions=plain, ids=list(range(len(plain))), elements=len(plain), flags=[flags] * len(plain)
            )
        except hyperscan.HyperscanError as error:
            raise Unscannable(str(error)) from error

    def occurring(self, text: bytes) -> dict[int, int]:
        """Which of them occur, by their place in `expressions`, and where the match of each ends that ends first."""
        with self._lock:
            self._firsts = {}
            self._database.scan(text, match_event_handler=self._note)
            return self._firsts

    def ends(self, text: bytes, most: int) -> list[int]:
        """Where matches end that were not made for `once`, in rising order: `most` of them, for each costs time."""
        with self._lock:
            self._ends, self._most = [], most
            with suppress(hyperscan.ScanTerminated):
                self._database.scan(text, match_event_handler=self._note_end)
            return sorted(self._ends)

    def _note(self, expression: int, start: int, end: int, flags: int, context: object) -> None:
        self._firsts[expression] = end

    def _note_end(self, expression: int, start: int, end: int, flags: int, context: object) -> bool:
        self._ends.append(end)
        return len(self._ends) >= self._most


@lru_cache(256)
def scanner_of(expressions: tuple[str, ...], *, once: bool = True) -> Scanner:
    """One for each set of expressions: policies of the same guards share it, which takes tens of milliseconds to make.

    Raises:
        Unscannable: where one of them cannot be compiled.
    """
    return Scanner(expressions, once=once)
