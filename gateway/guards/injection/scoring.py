"""What the signs in a text amount to."""

import math
import re
from collections.abc import Collection, Iterator

from gateway.guards.injection.ciphers import CIPHERS, decodings
from gateway.guards.injection.readings import joined, loosened, normal, readable, unseen, unsplit
from gateway.guards.injection.scanner import has_any, loose_signs, shapes, signs
from gateway.guards.injection.signals import Sign, Signal

WINDOW = 8_000
"""Characters that are judged together: weak signs that stand far apart do not add up."""

OVERLAP = 400

SURE = 0.99
"""Of a text that shows so much, the rest is not looked at."""

DEEPEST = 3
"""Encodings in encodings that are undone."""

READINGS_MOST = 32
"""Readings of one window; who writes a text chooses how many there could be."""

FURTHER_MOST = 8 * WINDOW
"""Characters of readings of one window, beside its own."""

REQUEST_MOST = 8 * FURTHER_MOST
"""The same of all texts of a request, so that what is made to have many readings cannot use up the guards' time."""

_HIDDEN = {False: 0.35, True: 0.5}
"""What it adds, strict or not, that there are signs at all in something that had to be decoded."""

_TURN = re.compile(r"(?:assistant|ai|bot)\s?:", re.IGNORECASE)
_TURNS_MOST = 10
_MANY_SHOT = Signal(family="turns", says="many turns that were never taken", weight=0.6, strict=0.8)


class Allowance:
    """How many characters may still be read beside the texts themselves."""

    __slots__ = ("left",)

    def __init__(self, left: int = REQUEST_MOST) -> None:
        self.left = left

    def take(self, characters: int) -> bool:
        """Takes so many, if there are."""
        if characters > self.left:
            return False
        self.left -= characters
        return True


def scores(text: str, *, strict: bool, allowance: Allowance | None = None) -> dict[str, float]:
    """By family, how sure its signs make the guard; under "" all together; of the worst part of the text.

    `allowance`: of the request; once it is used up, texts are only looked at as they read.
    """
    allowance = allowance or Allowance()
    worst: dict[str, float] = {}
    for window in _windows(text):
        found = _of_window(window, allowance, strict=strict)
        if found.get("", 0.0) > worst.get("", 0.0):
            worst = found
        if worst.get("", 0.0) >= SURE:
            break
    return worst


def is_silent(text: str) -> bool:
    """Whether a text in ASCII, of one window, surely has no scores: neither as it stands nor in any other reading. What
    is said of texts put together holds for each of them."""
    return not has_any(text.encode("ascii", "replace"), normal(next(readable(text))))


def _windows(text: str) -> Iterator[str]:
    for start in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
        yield text[start : start + WINDOW]


def _of_window(text: str, allowance: Allowance, *, strict: bool) -> dict[str, float]:
    plain, hidden = _signs(text, allowance)
    every = plain | hidden
    if not every:
        return {}
    doubts = {family: _doubt([each for each in every if each.family == family], strict) for family in _families(every)}
    doubts[""] = math.prod(doubts.values())
    if any(_at(each, strict) >= 0.3 for each in hidden - plain):
        doubts[""] *= 1 - _HIDDEN[strict]
    # squared: at one half it takes two signs, or one that is plain
    return {family: (1 - doubt) ** 2 for family, doubt in doubts.items()}


def _families(every: Collection[Sign]) -> set[str]:
    return {sign.family for sign in every}


def _at(sign: Sign, strict: bool) -> float:
    return sign.strict if strict else sign.weight


def _doubt(found: Collection[Sign], strict: bool) -> float:
    """Each sign takes its part of the doubt that the others leave."""
    return math.prod(1 - _at(sign, strict) for sign in found)


def _signs(text: str, allowance: Allowance) -> tuple[set[Sign], set[Sign]]:
    """Those in the text as it reads, and those in what is hidden in it."""
    plain, layer = _read(text, further=allowance.left > 0)
    hidden: set[Sign] = set()
    left, ours = READINGS_MOST - 1, Allowance(FURTHER_MOST)
    for depth in range(1, DEEPEST + 1):
        inner: list[str] = []
        for each in layer[:left]:
            if ours.take(len(each)) and allowance.take(len(each)):
                found, more = _read(each, further=depth < DEEPEST)
                hidden |= found
                inner += more
        left -= len(layer[:left])
        layer = inner
    return plain, hidden


def _read(text: str, *, further: bool) -> tuple[set[Sign], list[str]]:
    """The signs of a reading, and the readings that it hints at, if they are wanted."""
    found: set[Sign] = set()
    formed, hints = shapes(text)
    found |= formed
    more: list[str] = list(unseen(text)) if further and not text.isascii() else []
    for each in readable(text):
        ours, hinted = signs(normal(each))
        found |= ours
        hints |= hinted
        if "apart" in hinted:
            found |= loose_signs(loosened(each))
        if further:
            more += [CIPHERS[hint](each) for hint in hinted if hint in CIPHERS]
    if "turns" in hints and len(_TURN.findall(text)) >= _TURNS_MOST:
        found.add(_MANY_SHOT)
    return found, [*more, *_rewritten(text, hints)] if further else []


def _rewritten(text: str, hints: Collection[str]) -> Iterator[str]:
    """The text decoded, and put together, where something hints at that."""
    if "runs" in hints:
        yield from decodings(text)
    if "pieces" in hints:
        yield joined(text)
    if "split" in hints:
        yield unsplit(text)
