"""What the application told the model, in answers: word for word, and how much of it all in all."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from gateway.guards.base import CORE_MOST

NAME = "canaries"
RULE = "instructions"

LETTERS = 48
"""Letters that must agree, one after another: nine or ten words, which mostly fit in `CORE_MOST` characters."""

SHINGLE = 5
"""Words that count as one piece of the instructions."""

PIECES_LEAST = 8
"""Pieces below which instructions are too short to say that they were told."""

_WORD = re.compile(r"\w+")


class Instructions:
    """A `Finder` of places from which on an answer says what instructions say, whatever stands between words."""

    guard = NAME
    name = RULE
    tail = r"\w"
    first = 0
    shows = 0

    def __init__(self, instructions: Iterable[str]) -> None:
        self._starts: set[str] = set()
        self._words: set[str] = set()
        for text in instructions:
            self._take(text.casefold())

    def _take(self, text: str) -> None:
        words = _WORD.findall(text)
        letters = "".join(words)
        at = 0
        for word in words:
            if at + LETTERS > len(letters):
                break
            self._starts.add(letters[at : at + LETTERS])
            self._words.add(word[:LETTERS])
            at += len(word)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def search(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        """See `Finder`."""
        for word in _WORD.finditer(text, start, min(len(text), end + CORE_MOST)):
            at = word.start()
            if at >= end:
                return None
            if (at == 0 or not _is_letter(text[at - 1])) and word[0].casefold() in self._words:
                stop = self._agrees(text, at)
                if stop:
                    return at, stop
        return None

    def _agrees(self, text: str, at: int) -> int:
        """Where the letters end that agree with instructions; 0: they do not."""
        letters, stop = "", 0
        for word in _WORD.finditer(text, at, min(len(text), at + CORE_MOST)):
            letters += word[0].casefold()
            stop = word.end()
            if len(letters) >= LETTERS:
                break
        if letters[:LETTERS] not in self._starts:
            return 0
        return stop


@lru_cache(64)
def instructions_of(system: tuple[str, ...]) -> Instructions:
    """The finder for what an application says, which mostly is the same from request to request."""
    return Instructions(system)


@lru_cache(64)
def pieces_of(system: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """All pieces of instructions: `SHINGLE` words one after another."""
    return frozenset(piece for text in system for piece in _pieces(text))


def told(answer: str, system: Sequence[str]) -> float:
    """Which share of the instructions' pieces an answer holds, 0 to 1; 0 where they are too short to tell."""
    pieces = pieces_of(tuple(system))
    return len(pieces & set(_pieces(answer))) / len(pieces) if len(pieces) >= PIECES_LEAST else 0.0


def _pieces(text: str) -> Iterable[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return zip(*(words[start:] for start in range(SHINGLE)), strict=False)


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_"
