"""Requests that are shaped to cost or to confuse: too deep, too many, the same over and over, or unseen. Pure."""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from gateway.guards.base import Action, Direction, Finding, Guard, Judged, Kind, Setting, Text

NAME = "abuse"

WINDOW_BYTES = 4096
"""Of a text, so much at a time is asked whether it repeats itself."""

SAME_PERCENT = 3
"""To what a stretch is compressed, at most, that repeats itself: prose needs 35 % of its size, tables and logs 5 to
15 %, and a sentence of sixty characters, said again and again, 2 to 3 %."""

_INVISIBLE = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF0, 0xFFFC), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
)
"""Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties), and the annotation marks."""

_PILED = (
    *(*range(0x300, 0x370), *range(0x483, 0x48A), *range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00)),
    *(*range(0x20D0, 0x20F1), *range(0xFE20, 0xFE30)),
)
"""Combining marks of no script of its own: Latin, Greek and Cyrillic take three or four of them at most."""

_HIDING = frozenset(map(chr, (*_INVISIBLE, *_PILED)))

_SPARE = tuple(
    map(
        chr,
        (
            *(0xAD, 0x34F, 0x115F, 0x1160, 0x180E, 0x200B, 0x200E, 0x200F, 0x3164, 0xFEFF, 0xFFA0),
            *(*range(0x202A, 0x202F), *range(0x2060, 0x2070)),
        ),
    )
)
"""Those of which no script and no emoji needs more than it has letters."""

LONG = 64
"""How many times what may be in a row makes a text long: in shorter ones what is unseen costs little."""

_SPARE_BEGIN = frozenset(each.encode()[:2] for each in _SPARE)


def _setting(name: str, title: str, *, default: int, most: int, help: str = "") -> Setting:
    return Setting(name=name, title=title, help=help, kind=Kind.WHOLE, default=default, least=1, most=most)


_SETTINGS = (
    _setting("messages", "messages", default=2_000, most=100_000, help="The tier's own bound holds beside it."),
    _setting("nesting", "levels of the body", default=64, most=200, help="Of arrays and objects within each other."),
    _setting("choices", "choices", default=128, most=128, help="What n may be; each is an answer that is paid for."),
    _setting("logit_bias", "tokens in logit_bias", default=300, most=100_000),
    _setting("tools", "tools", default=128, most=10_000),
    _setting("stops", "stop words", default=16, most=1_000),
    _setting(
        "repeated",
        "characters of repetition",
        default=16_384,
        most=10_000_000,
        help="Of one text, so many may be in stretches of 4,096 that say the same over and over.",
    ),
    _setting(
        "invisible",
        "invisible characters in a row",
        default=32,
        most=10_000,
        help="Zero-width characters, direction marks, tags; and marks piled on one letter.",
    ),
)
_DEFAULTS: dict[str, int] = {setting.name: setting.default for setting in _SETTINGS}


def judge(judged: Judged) -> Sequence[Finding]:
    """One finding for each bound that the request exceeds, of a text with its place."""
    bounds = {**_DEFAULTS, **judged.settings}
    shape = [] if quiet(judged) else _of_shape(judged.request, bounds)
    return [*shape, *(finding for text in judged.texts for finding in _of_text(text, bounds))]


def _of_shape(request: Mapping[str, Any], bounds: Mapping[str, int]) -> list[Finding]:
    found = [Finding(NAME, name) for name, size in _SIZES.items() if size(request) > bounds[name]]
    return [*found, Finding(NAME, "nesting")] if _is_deeper(request, bounds["nesting"]) else found


def quiet(judged: Judged) -> bool:
    """Whether no bound of its shape can be exceeded: where bounds are as they come, and the request is flat but for its
    messages, which say one thing each. Nothing in short texts that are ASCII is too long, or hidden."""
    if judged.settings:
        return False
    for name, value in judged.request.items():
        if name == "messages":
            if len(value) > _DEFAULTS[name]:
                return False
            for message in value:
                for part in message.values():
                    if isinstance(part, dict | list):
                        return False
        elif name == "n" or isinstance(value, dict | list):
            return False
    return True


def _length(name: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Callable[[Mapping[str, Any]], int]:
    def size(request: Mapping[str, Any]) -> int:
        value = request.get(name)
        return len(value) if isinstance(value, kind) else 0

    return size


def _choices(request: Mapping[str, Any]) -> int:
    value = request.get("n")
    return value if isinstance(value, int) else 0


_SIZES: dict[str, Callable[[Mapping[str, Any]], int]] = {
    "messages": _length("messages", list),
    "choices": _choices,
    "logit_bias": _length("logit_bias", dict),
    "tools": _length("tools", list),
    "stops": _length("stop", list),
}


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether there are more levels of arrays and objects; looked at level by level, so that depth costs no stack."""
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return False
    return True


def _inner(value: Any) -> Iterator[Any]:
    items = value.values() if isinstance(value, Mapping) else value
    return (item for item in items if isinstance(item, dict | list))


def _of_text(text: Text, bounds: Mapping[str, int]) -> Iterator[Finding]:
    if len(text.text) > bounds["repeated"] and repeated(text.text) > bounds["repeated"]:
        yield Finding(NAME, "repetition", place=text.place)
    if not text.text.isascii() and _is_hiding(text.text, bounds["invisible"]):
        yield Finding(NAME, "invisible", place=text.place)


def repeated(text: str) -> int:
    """About how many characters of `text` are in stretches that say the same over and over."""
    data = text.encode("utf-8", "surrogatepass")
    windows = (data[start : start + WINDOW_BYTES] for start in range(0, len(data), WINDOW_BYTES))
    same = sum(len(window) for window in windows if 100 * len(zlib.compress(window, 1)) <= SAME_PERCENT * len(window))
    return same * len(text) // max(len(data), 1)


def _is_hiding(text: str, most: int) -> bool:
    """Whether more than `most` in a row are unseen, or piled on one letter; or most of a long text is unseen."""
    # A row that long holds one of every so many characters: few texts are looked at whole.
    if not _HIDING.isdisjoint(text[most :: most + 1]) and _in_a_row(most).search(text):
        return True
    return len(text) > LONG * most and _is_mostly_unseen(text)


def _is_mostly_unseen(text: str) -> bool:
    data = text.encode("utf-8", "surrogatepass")
    if 2 * sum(map(data.count, _SPARE_BEGIN)) <= len(text):  # at most so many, at a tenth of what counting them takes
        return False
    return 2 * sum(map(text.count, _SPARE)) > len(text)


@lru_cache(64)
def _in_a_row(most: int) -> re.Pattern[str]:
    """Tried at the beginning of a row only, so that it takes linear time whatever `most` is."""
    rows = (f"[{_ranges(each)}]" for each in (_INVISIBLE, _PILED))
    return re.compile("|".join(f"(?<!{each}){each}{{{most + 1}}}" for each in rows))


def _ranges(points: Sequence[int]) -> str:
    """Characters as a class of an expression has them: a few ranges are searched faster than thousands of letters."""
    firsts = [point for point in points if point - 1 not in points]
    lasts = [point for point in points if point + 1 not in points]
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in zip(firsts, lasts, strict=True))


GUARD = Guard(
    name=NAME,
    title="Abusive shape",
    help=(
        "Finds requests that are made to cost or to confuse: nested too deeply, with too many messages, choices, tools "
        "or biased tokens, with texts that repeat themselves at length, or with floods of invisible characters. Sizes "
        "of messages and prompts are the tier's."
    ),
    actions=(Action.OFF, Action.LOG, Action.FLAG, Action.BLOCK),
    directions=frozenset({Direction.PROMPT}),
    judge=judge,
    quiet=quiet,
    rule_names=(*_SIZES, "nesting", "repetition", "invisible"),
    default=Action.BLOCK,
    settings=_SETTINGS,
)
