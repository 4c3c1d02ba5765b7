"""Makes one text of the many that look alike.

Compatibility forms, accents, look-alike letters, digits of all scripts, invisible characters.
Each character folds by itself, whatever stands around it, so a stream folds as its whole does. The compatibility forms
are those of Unicode's NFKD (UAX #15); marks are dropped. Words that are searched in folded texts are folded as well.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

from gateway.guards.homoglyphs import HOMOGLYPHS
from gateway.guards.views import View

_SPECIAL = "\ue000"  # stands for a character that folds to none, or to more than one

CONTROLS = bytes(code for code in range(128) if chr(code) not in "\t\n\r" and not 32 <= code < 127)
"""Those of ASCII that are not seen."""

_KEPT_MOST = 3
"""Longer runs of characters that are not ASCII may be somebody's words, and are not kept."""

_BLANK = "\u2800"  # Braille without dots

_CIRCLED_MOST = 50

NOT_PLAIN = re.compile(r"[^\t\n\r -~]+")
"""What of a text may fold to something else."""

_SPECIALS = re.compile(_SPECIAL + "+")

INVISIBLE = (
    "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ue000-\uf8ff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
"""Characters that are not seen, as the inside of a class for `re`: control, zero-width, bidi, tags, private use."""

_UNSEEN = re.compile(f"[{INVISIBLE}]")


def fold(text: str) -> str:
    """The text as rules see it."""
    return NOT_PLAIN.sub(_folded, text)


def folded(text: str) -> View:
    """The same, with the way back to `text`."""
    with suppress(UnicodeEncodeError):
        data = text.encode("ascii", _BY_ONE)
        if len(data) == len(data.translate(None, CONTROLS)):
            return View(data.decode("ascii"), source=text)
    once = NOT_PLAIN.sub(_each, text)
    if _SPECIAL not in once:
        return View(once, source=text)
    parts: list[str] = []
    starts: list[int] = []
    at = 0
    for found in _SPECIALS.finditer(once):
        first, last = found.span()
        parts.append(once[at:first])
        starts.extend(range(at, first))
        for place in range(first, last):
            if instead := folds_to(text[place]):
                parts.append(instead)
                starts.extend([place] * len(instead))
        at = last
    parts.append(once[at:])
    starts.extend(range(at, len(once)))
    return View("".join(parts), starts, [start + 1 for start in starts], source=text)


@lru_cache(2**14)
def folds_to(character: str) -> str:
    """What one character folds to."""
    if _UNSEEN.match(character):
        return ""
    if character.isspace():
        return "\n" if character in "\n\u2028\u2029\x85" else character if character in "\t\r" else " "
    if character == _BLANK:
        return " "
    if number := _number(character):
        return number
    plain = unicodedata.normalize("NFKD", character)
    if len(plain) > 1:
        plain = "".join(each for each in plain if unicodedata.category(each) not in ("Mn", "Me"))
        plain = unicodedata.normalize("NFC", plain).strip()
    elif unicodedata.category(plain) in ("Mn", "Me"):
        return ""
    return "".join(_LIKE.get(each, each) for each in plain)


def _number(character: str) -> str:
    """Of a digit of any script, and of a number in a circle or in parentheses: in ASCII; nothing of all else."""
    if unicodedata.category(character) not in ("Nd", "No"):
        return ""
    value = unicodedata.numeric(character)
    return str(int(value)) if value == int(value) and value <= _CIRCLED_MOST else ""


def _folded(found: re.Match[str]) -> str:
    return "".join(map(folds_to, found[0]))


class _Each(dict[int, str]):
    """For `str.translate`: what each character folds to if it is one character, else `_SPECIAL`."""

    def __missing__(self, code: int) -> str:
        instead = folds_to(chr(code))
        self[code] = instead = instead if len(instead) == 1 else _SPECIAL
        return instead


def _each(found: re.Match[str]) -> str:
    return found[0].translate(_EACH)


_LIKE = HOMOGLYPHS
_EACH = _Each()


def ascii_by(name: str, instead: Callable[[str], str]) -> str:
    """An error handler for `str.encode("ascii", …)`, by its name: `instead` says what stands for a run of characters
    that are not ASCII. Where that is not ASCII either, the text cannot be encoded.

    It is the quickest way to fold what has few such characters, as most texts have.
    """
    cached = lru_cache(2**12)(instead)

    def handled(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        run = error.object[error.start : error.end]
        plain = cached(run) if len(run) <= _KEPT_MOST else instead(run)
        if not plain.isascii():
            raise error
        return plain, error.end

    codecs.register_error(name, handled)
    return name


_BY_ONE = ascii_by("portcullis.folded", lambda run: run.translate(_EACH))
