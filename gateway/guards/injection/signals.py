"""The language in which signs of an injection are written, and what they become for the scanner."""

import re

from msgspec import Struct

_WORD = re.compile(r"\\w([+*])")
_LETTERS_ONLY = re.compile(r" \?| ")


LOOSE_LEAST = 0.3
"""Weaker signs say nothing in loosened text, where words have no beginning and no end."""


class Sign(Struct, frozen=True, kw_only=True):
    """One sign that a text wants to steer the model.

    Args:
        family: whose finding it is, as `override`.
        weight: how sure the guard is, 0 to 1, if there is no other sign, in what a person wrote.
        strict: the same in what came from a tool or a document, which has no business to say such things.
    """

    family: str
    weight: float
    strict: float


class Signal(Sign, frozen=True, kw_only=True):
    """A sign made of words.

    Args:
        says: words of normalised text (see `readings.py`): lower case, one space between words, no punctuation. Groups,
            alternatives, `?` and `\\w` are as in regular expressions; `~` is a gap of up to 40 characters. What stands
            before the first `~` is what the scanner looks for, so it should be rare.
    """

    says: str

    def anchor(self) -> bytes:
        """What the scanner looks for in normalised text."""
        anchor, *_ = self._parts()
        return f" {anchor} ".encode() if self.says.isascii() else anchor.encode()

    def rest(self) -> re.Pattern[bytes] | None:
        """What then must stand where the anchor ends; None where the anchor is all of it."""
        _, *rest = self._parts()
        if not rest:
            return None
        if self.says.isascii():
            return re.compile(f"(?:.{{0,40}} )??{' (?:.{0,40} )??'.join(rest)} ".encode())
        return re.compile("".join(f".{{0,60}}?{part}" for part in rest).encode())

    def _parts(self) -> list[str]:
        """With the spaces around words that keep `act` from being found in `fact`; other scripts' stems go without."""
        return [f"(?:{_WORD.sub(f'[^ ]{chr(92)}1', part)})" for part in self.says.split("~")]

    def loosened(self) -> bytes | None:
        """The expression for letters that stand together (see `readings.loosened`), where `l` is read as `i`."""
        if not self.says.isascii() or self.weight < LOOSE_LEAST:
            return None
        letters = _LETTERS_ONLY.sub("", self.says.replace("\\w", "."))
        return letters.replace("~", ".{0,32}").replace("l", "i").encode()


def signals(family: str, *rows: tuple[float, str] | tuple[float, float, str]) -> tuple[Signal, ...]:
    """Rows of a family: weight, what it says; or weight, weight where strict, what it says."""
    return tuple(
        Signal(family=family, weight=row[0], strict=row[1] if len(row) == 3 else _stricter(row[0]), says=row[-1])
        for row in rows
    )


class Shape(Sign, frozen=True, kw_only=True):
    """A sign made of punctuation. `anchors`: of which one occurs, in lower case; `pattern`: what then must be found."""

    anchors: tuple[str, ...]
    pattern: re.Pattern[str]


def shape(family: str, weight: float, strict: float, anchors: str, pattern: str) -> Shape:
    """`anchors`: apart by spaces. `pattern`: linear, for text as it is, in any case."""
    return Shape(
        family=family,
        anchors=tuple(anchors.split()),
        pattern=re.compile(pattern, re.IGNORECASE),
        weight=weight,
        strict=strict,
    )


def _stricter(weight: float) -> float:
    """Unless said otherwise: two fifths of the doubt that was left are gone."""
    return 1 - (1 - weight) * 0.6
