"""All signs in one pass over normalised text, by Hyperscan: linear, whatever the text."""

import re
from functools import cache
from threading import Lock

import hyperscan

from gateway.guards.injection.ciphers import telltales
from gateway.guards.injection.families import SHAPES, SIGNALS
from gateway.guards.injection.signals import Shape, Signal

_FLAGS = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_CASELESS
_ONCE = _FLAGS | hyperscan.HS_FLAG_SINGLEMATCH

_TRIES = 24
"""Places in one window at which a sign that needs a closer look gets one."""

_REST_MOST = 240

HINTS: dict[str, tuple[str, ...]] = {
    "runs": (
        "[a-z0-9]{20}",
        "(?: (?:0x|x|u)?[0-9a-f]{2}){8} ",
        "(?: [0-9]{2,4}){8} ",
        "(?: [01]{7,8}){6} ",
        "(?: u[0-9a-f]{4}){3}",
        "(?: x[0-9a-f]{2}){3}",
    ),
    "apart": ("(?: [a-z0-9]){7} ", "[a-z][01345789]+[a-z]"),
    **{name: tuple(f" {word} " for word in words) for name, words in telltales().items()},
}
"""By name: what in normalised text hints at another reading of it, which is worth a pass of its own."""

MARKS: dict[str, tuple[str, ...]] = {
    "runs": ("%[0-9a-f]{2}", "&#", "&[a-z]{2,6};", r"\\[ux0-7]", r"U\+[0-9a-f]{4}", "=[0-9a-f]{2}", "=\r?\n", "<~",
             r"[!-~]{48}", r"\.-", r"-\. ", "_\\.", r"\. \. ", "- - ", "•", "·", "−"),
    "pieces": (r"[\"'] ?\+", r"= ?[\"']"),
    "split": (r"(?:[a-z][-_.*~^|][a-z][^-_.*~^|]{1,40}){3}",),
    "turns": ("assistant ?:",),
}  # fmt: skip
"""The same in the text as it stands."""


class Scanner:
    """Says which of its expressions occur, by the numbers they have."""

    def __init__(self, expressions: list[tuple[int, bytes, bool]]) -> None:
        """Number, expression, and whether it is enough to know that it occurs."""
        self._database = hyperscan.Database()
        self._database.compile(
            ids=[number for number, _, _ in expressions],
            expressions=[expression for _, expression, _ in expressions],
            flags=[_ONCE if once else _FLAGS for _, _, once in expressions],
        )
        self._lock = Lock()  # its scratch space serves one thread at a time

    def ends(self, data: bytes) -> dict[int, list[int]]:
        """By number: where matches end."""
        found: dict[int, list[int]] = {}

        def matched(number: int, start: int, end: int, flags: int, context: object) -> None:
            found.setdefault(number, []).append(end)

        with self._lock:
            self._database.scan(data, match_event_handler=matched)
        return found


def signs(data: bytes) -> tuple[set[Signal], set[str]]:
    """The signs in normalised text, and the hints at other readings of it."""
    found: set[Signal] = set()
    hints: set[str] = set()
    for number, ends in _plain().ends(data).items():
        if number >= len(SIGNALS):
            hints.add(_HINT_NAMES[number - len(SIGNALS)])
        elif (rest := _RESTS[number]) is None or _goes_on(rest, data, ends):
            found.add(SIGNALS[number])
    return found, hints


def shapes(text: str) -> tuple[set[Shape], set[str]]:
    """The signs that are made of punctuation, in the text as it stands, and the hints at other readings of it."""
    numbers = _raw().ends(text.encode("utf-8", "replace")).keys()
    hints = {_MARK_NAMES[number] for number in numbers if number < len(_MARK_NAMES)}
    anchored = {_ANCHORED[number - len(_MARK_NAMES)] for number in numbers if number >= len(_MARK_NAMES)}
    return {SHAPES[number] for number in anchored if SHAPES[number].pattern.search(text)}, hints


def has_any(*readings: bytes) -> bool:
    """Whether there may be a sign or a hint, of any kind, in any of those readings: in one pass over all of them."""
    return bool(_all().ends(b"\n".join(readings)))


def loose_signs(data: bytes) -> set[Signal]:
    """The signs in loosened text."""
    return {SIGNALS[number] for number in _loose().ends(data)}


def warm() -> None:
    """Compiles what is compiled once per process, a second's work, before a request waits for it."""
    _all()
    _plain()
    _raw()
    _loose()


def _goes_on(rest: re.Pattern[bytes], data: bytes, ends: list[int]) -> bool:
    """Whether the rest of a sign stands behind one of the places where its anchor ends."""
    return any(rest.match(data, end, end + _REST_MOST) for end in dict.fromkeys(ends[:_TRIES]))


_RESTS = [signal.rest() for signal in SIGNALS]
_HINT_NAMES = [name for name, expressions in HINTS.items() for _ in expressions]


_HINTS = [expression.encode() for expressions in HINTS.values() for expression in expressions]


@cache
def _plain() -> Scanner:
    signals = [(number, signal.anchor(), _RESTS[number] is None) for number, signal in enumerate(SIGNALS)]
    return Scanner([*signals, *((number, hint, True) for number, hint in enumerate(_HINTS, len(SIGNALS)))])


_MARK_NAMES = [name for name, expressions in MARKS.items() for _ in expressions]
_ANCHORED = [number for number, shape in enumerate(SHAPES) for _ in shape.anchors]


_AS_IT_STANDS = [
    *(mark.encode() for marks in MARKS.values() for mark in marks),
    *(re.escape(anchor).encode() for shape in SHAPES for anchor in shape.anchors),
]


@cache
def _raw() -> Scanner:
    return Scanner([(number, each, True) for number, each in enumerate(_AS_IT_STANDS)])


@cache
def _all() -> Scanner:
    every = dict.fromkeys([*_AS_IT_STANDS, *(signal.anchor() for signal in SIGNALS), *_HINTS])
    return Scanner([(0, each, True) for each in every])


@cache
def _loose() -> Scanner:
    every = [(number, signal.loosened()) for number, signal in enumerate(SIGNALS)]
    return Scanner([(number, expression, True) for number, expression in every if expression])
