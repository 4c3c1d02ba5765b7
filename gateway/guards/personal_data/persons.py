"""National identifiers, by their check digits and, where these say too little, by words beside them.

Those that are not sure by themselves are only looked for in texts in which one of their words occurs.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from gateway.guards.base import CORE_MOST, Around, Rule
from gateway.guards.personal_data.kinds import KINDS, Kind
from gateway.guards.personal_data.words import GUARD_NAME, LETTER_AND_FIGURES, SIX_FIGURES, beside

_parser: Any = import_module("re._parser")  # `re` has no public way to ask for the parts of an expression
_FIRST = re.compile(r"(?P<kind>\[[^\]]+\]|[0-9])(?:\{(?P<times>[0-9]+)\})?(?![?*{])")
_SURE = 0.5
_BESIDE = 0.95
_BEFORE = r"(?<![\w.\-/+,].)"
_AFTER = r"(?![\w]|[.,\-/][\w])"


@lru_cache(64)
def _valid(module: str) -> Callable[[str], bool]:
    """Imported when first needed: hardly any deployment sees all of them."""
    check: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return check


def _width(form: str) -> tuple[int, int]:
    """The fewest and the most characters that a form matches."""
    least, most = _parser.parse(form).getwidth()
    return int(least), int(most)


class _Known:
    """A kind, ready to be tried on what matched."""

    def __init__(self, kind: Kind) -> None:
        self.form = re.compile(kind.form)
        self.least, self.most = _width(kind.form)
        self.module = kind.module
        self.sure = kind.sure
        self.beside = beside((kind.words,))

    def is_one(self, text: str) -> bool:
        return self.form.fullmatch(text) is not None and _valid(self.module)(text)


def _alone(kinds: list[_Known]) -> Callable[[str, Around], float]:
    of_length = _by_length(kinds)

    def score(text: str, _around: Around) -> float:
        return max((kind.sure for kind in of_length[len(text)] if kind.is_one(text)), default=0.0)

    return score


def _told(kinds: list[_Known], any_word: Callable[[Around], bool]) -> Callable[[str, Around], float]:
    of_length = _by_length(kinds)

    def score(text: str, around: Around) -> float:
        if not any_word(around):
            return 0.0
        near = (kind for kind in of_length[len(text)] if kind.form.fullmatch(text) and kind.beside(around))
        return _BESIDE if any(_valid(kind.module)(text) for kind in near) else 0.0

    return score


def _by_length(kinds: list[_Known]) -> list[list[_Known]]:
    """Those that a text of so many characters may be."""
    return [[kind for kind in kinds if kind.least <= length <= kind.most] for length in range(CORE_MOST + 1)]


def _rule(scan: str, begins: str, kinds: list[Kind], check: Callable[[str, Around], float], *, first: int = 40) -> Rule:
    """`begins`: the class of what these begin with; a search that begins with a class is quick."""
    soon = "" if begins == "[0-9]" else "(?=[A-Za-z]{0,5}-?[0-9])"  # most words end the search there
    rests = dict.fromkeys(_rest(kind.form) for kind in sorted(kinds, key=lambda kind: -len(kind.form)))
    return Rule(
        guard=GUARD_NAME,
        name="NATIONAL_ID",
        scan=scan,
        pattern=rf"{begins}{_BEFORE}{soon}(?:{'|'.join(rests)}){_AFTER}",
        check=check,
        first=first,
        shows=2,
    )


def _rest(form: str) -> str:
    """What of a form comes after its first character, which must be one of its class."""
    found = _FIRST.match(form)
    assert found is not None, form
    kind, times = found["kind"], int(found["times"] or 1)
    return f"(?<={kind})" + (f"{kind}{{{times - 1}}}" if times > 1 else "") + form[found.end() :]


def rules() -> list[Rule]:
    """Those that are sure alone, and all beside their words."""
    return [
        _sure("[0-9]", [kind for kind in KINDS if _begins(kind).isdigit()]),
        _sure("[A-Za-z]", [kind for kind in KINDS if _begins(kind).isalpha()]),
        _beside([kind for kind in KINDS if _begins(kind).isdigit()]),
    ]


def _begins(kind: Kind) -> str:
    return kind.form.lstrip("[")[0]


def _sure(first: str, kinds: list[Kind]) -> Rule:
    sure = [kind for kind in kinds if kind.sure >= _SURE]
    return _rule(
        SIX_FIGURES if first == "[0-9]" else LETTER_AND_FIGURES, first, sure, _alone([_Known(kind) for kind in sure])
    )


def _beside(kinds: list[Kind]) -> Rule:
    any_word = beside([kind.words for kind in kinds])
    return _rule(SIX_FIGURES, "[0-9]", kinds, _told([_Known(kind) for kind in kinds], any_word), first=45)
