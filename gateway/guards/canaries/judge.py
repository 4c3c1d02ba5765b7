"""Canaries and instructions in whole answers, in the encodings and ciphers that only a whole answer shows."""

import re
from collections.abc import Iterator, Sequence

from gateway.guards.base import Finder, Finding, Judged
from gateway.guards.canaries.leakage import NAME, RULE, Instructions, instructions_of, told
from gateway.guards.canaries.rules import RULE as CANARY
from gateway.guards.folding import fold
from gateway.guards.injection.ciphers import ENCIPHERED, decodings

TOLD_ENOUGH = 0.4
"""The share of the instructions at which an answer has surely told them; half as much is half as sure."""

LEAST = 0.1
"""Scores below say nothing."""

LAYERS = 3
READINGS_MOST = 32

_SIGNS = re.compile(r"[\W_]+")


def live(judged: Judged) -> Sequence[Finder]:
    """Finds what instructions say, word for word, where the setting `instructions` wants it."""
    told_of: Instructions = (
        instructions_of(tuple(judged.system)) if judged.settings.get("instructions") else Instructions(())
    )
    return [told_of] if told_of else []


def judge(judged: Judged) -> Sequence[Finding]:
    """At most one finding of each rule for each text of an answer."""
    marks = _marks([*judged.canaries, *(judged.settings.get("tokens") or ())])
    system = judged.system if judged.settings.get("instructions") else ()
    if not marks and not system:
        return ()
    found: list[Finding] = []
    for text in judged.texts:
        readings = list(_readings(text.text))
        if any(mark in letters for letters in map(_squeezed, readings) for mark in marks):
            found.append(Finding(NAME, CANARY, place=text.place))
        share = max((told(reading, system) for reading in readings), default=0.0) if system else 0.0
        if share / TOLD_ENOUGH >= LEAST:
            found.append(Finding(NAME, RULE, score=round(min(1.0, share / TOLD_ENOUGH), 3), place=text.place))
    return found


def quiet(judged: Judged) -> bool:
    """Where there are no marks, and nobody wants instructions to be looked for."""
    settings = judged.settings
    return not (judged.canaries or settings.get("tokens") or settings.get("instructions"))


def _marks(tokens: Sequence[str]) -> list[str]:
    """What is looked for: each token as it is, and in each cipher."""
    plain = [squeezed for token in tokens if (squeezed := _squeezed(token))]
    return [form for token in plain for form in (token, *(encipher(token) for encipher in ENCIPHERED.values()))]


def _squeezed(text: str) -> str:
    return _SIGNS.sub("", fold(text).lower())


def _readings(text: str) -> Iterator[str]:
    """The text, and what is encoded in it, layer by layer."""
    layer, left = [text], READINGS_MOST
    for _ in range(LAYERS):
        yield from layer[:left]
        left -= len(layer)
        if left <= 0:
            return
        layer = [inner for each in layer for inner in decodings(each)]
