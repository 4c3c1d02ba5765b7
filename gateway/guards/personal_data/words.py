"""Words beside a match: what stands before a number often says what it is, in whatever language. Pure.

A check looks at `Around.before`: at most 64 characters, folded, in lower case. Words are given in lines, with ` | `
between them, as they are spelt, and are folded like the texts; they may be expressions, without upper-case classes
(`\\W`). Those of scripts without spaces are looked for as they stand, all others whole.
"""

import re
from collections.abc import Callable, Iterable

from gateway.guards.base import CONTEXT_MOST, Around
from gateway.guards.folding import fold

GUARD_NAME = "personal_data"

SIX_FIGURES = r"[0-9](?:[ .\-_/()\t\r\n]{0,3}[0-9]){5}"
TWELVE_FIGURES = r"[0-9](?:[ .\-_/\t\r\n]{0,2}[0-9]){11}"
LETTER_AND_FIGURES = r"[A-Za-z][ \-]?[0-9]{2}[0-9A-Za-z]{3}"
LONG_RUN = r"[0-9A-Za-z]{26}"
"""What rules are tried for: a few coarse expressions for all, as each that is scanned for costs time on every text."""

_WHATEVER = re.compile(r"(?:\\w|\[[^\]]*\])[*+]$")
_NOT_ESCAPED = re.compile(r"(?<!\\)\w")
_NOT_ASCII = re.compile(r"\[[^\]]*\]|[^\x00-\x7f]")
_BRACKETS = re.compile(r"\([^()]*\)")
_UNSPACED = "\u2e80"  # from here on scripts that put no spaces between words


def beside(words: Iterable[str], *, within: int = 64) -> Callable[[Around], bool]:
    """Whether one of `words` stands in the last `within` characters before a match. A word may be an expression."""
    whole, parts = _listed(words)
    find = re.compile("|".join([rf"(?<![^\W_]){either(whole)}(?![^\W_])", *parts])).search

    def stands(around: Around) -> bool:
        before = around.before
        return has_words(before) and find(before, max(0, len(before) - within)) is not None

    return stands


def has_words(before: str) -> bool:
    """Whether there are letters at all: amid numbers no word needs to be looked for."""
    return before.islower() or not before.isascii()


def scan_for(words: Iterable[str], *, behind: str = "[^a-z]") -> str:
    """For `Rule.scan`, with `beside`: one of `words` and a figure behind it, so near that a match may begin between.

    `behind`: what may stand right behind a word. Before it may stand anything, so that it does not matter where a text
    is cut.
    """
    each = {_scannable(word, behind) for word in folded(words)}
    return rf"(?i)(?:{'|'.join(sorted(each))}).{{0,{CONTEXT_MOST}}}[0-9]"


def folded(lines: Iterable[str]) -> list[str]:
    """The words of some lines as they may stand in `Around.before`: capitals of other scripts look like other letters
    than small ones, so that each is there as it folds in both, and with a capital at its beginning."""
    words = [word for line in lines for word in line.split(" | ")]
    return list(dict.fromkeys(fold(form).lower() for word in words for form in (word, _capitals(word), _title(word))))


def _capitals(word: str) -> str:
    return _NOT_ESCAPED.sub(lambda found: found[0].upper(), word)


def _title(word: str) -> str:
    return word[:1].upper() + word[1:] if word[:1] != "\\" else word


def _scannable(word: str, behind: str) -> str:
    stem = _WHATEVER.sub("", word)
    ends = stem == word and word[0] < _UNSPACED
    return _NOT_ASCII.sub(_unknown, stem).replace(r"\w", r"[\w?]") + (behind if ends else "")


def _unknown(found: re.Match[str]) -> str:
    """To the one pass a question mark stands for what is not ASCII."""
    return re.sub(r"[^\x00-\x7f]", "?", found[0]) if found[0][0] == "[" else r"\?"


def either(words: Iterable[str]) -> str:
    """An expression for one of these, quick to fail: those that begin with the same letter are behind it."""
    grouped: dict[str, list[str]] = {}
    for word in words:
        plain = word[0].isalpha() and (len(word) == 1 or word[1] not in "?*+{|")
        grouped.setdefault(word[0] if plain and "|" not in _BRACKETS.sub("", word) else "", []).append(word)
    odd = grouped.pop("", [])
    return f"(?:{'|'.join([*(_behind(letter, some) for letter, some in grouped.items()), *odd])})"


def _behind(letter: str, words: list[str]) -> str:
    return letter + f"(?:{'|'.join(word[1:] for word in words)})"


def _listed(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """Words that stand between others, and words of scripts without spaces."""
    words = folded(lines)
    return [word for word in words if word[0] < _UNSPACED], [word for word in words if word[0] >= _UNSPACED]
