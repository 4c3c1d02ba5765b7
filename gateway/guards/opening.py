"""Where in the end of a text a match may still be under way: what of a stream is to be held back, and no more.

Of each expression another one is made that matches wherever the first may match once more text has come: at the end of
what is known, each of its parts may be missing. Expressions that match nothing but ASCII, and no space, are not tried:
for them the last word is held back.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from string import ascii_letters, digits
from typing import Any

from gateway.guards.folding import folded

_parser: Any = import_module("re._parser")  # `re` has no public way to ask for the parts of an expression
_END = r"\Z"

_ODD = re.compile(
    r"[%\\&=\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"  # escapes, which may spell anything
    r"|[A-Za-z0-9+/_-]{8,}\r?\n"  # encoded lines, which may go on in the next one
    r"|(?<![0-9A-Za-z])[2-7][0-9A-Fa-f](?![0-9A-Za-z])"  # bytes in hexadecimal, one by one
)
_WORD = re.compile(r"[!-~\t\r\n]*\Z")
_BEFORE = 32
"""Characters that an expression may look back at."""

_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}
_AT = {
    "AT_BEGINNING": "^",
    "AT_BEGINNING_STRING": r"\A",
    "AT_BOUNDARY": r"\b",
    "AT_NON_BOUNDARY": r"\B",
    "AT_END": "$",
    "AT_END_STRING": r"\Z",
}
_CATEGORY = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


class Opening:
    """The expressions of a plan, ready to be asked where one of them may be under way."""

    def __init__(self, patterns: Iterable[re.Pattern[str]]) -> None:
        tried: dict[tuple[bool, bool], dict[str, None]] = {}
        for each in patterns:
            if _goes_beyond_words(each):
                tried.setdefault(_where(each), {})[unfinished(each.pattern, each.flags)] = None
        # Most places are within words, where hardly any of them begins.
        groups = [
            ("(?<![A-Za-z0-9])" if bounded else "") + ("" if lettered else "(?![A-Za-z])") + f"(?:{'|'.join(some)})"
            for (bounded, lettered), some in tried.items()
        ]
        self._pattern = re.compile("|".join(groups)) if groups else None

    def begins(self, text: str, since: int) -> int:
        """From where on a match may be under way, in the text from `since` on; its length where none is."""
        shown = text[max(0, since - _BEFORE) :]
        skipped = len(text) - len(shown)
        view = folded(shown)
        if _ODD.search(view.text):
            return since
        word = _WORD.search(view.text)
        assert word is not None
        first = view.index(since - skipped)
        found = max(word.start(), first)
        if self._pattern is not None and first < found:
            match = self._pattern.search(view.text, first)
            found = min(found, match.start()) if match is not None else found
        return skipped + (view.start(found) if found < len(view.text) else len(shown))


@lru_cache(256)
def opening_of(patterns: tuple[re.Pattern[str], ...]) -> Opening:
    """One for each set of expressions: policies of the same guards share it, which takes long to make."""
    return Opening(patterns)


def unfinished(pattern: str, flags: int = 0) -> str:
    """An expression that matches where `pattern` does, and where it may do so when the text goes on."""
    parsed = _parser.parse(pattern, flags & ~re.UNICODE)
    letters = "".join(letter for flag, letter in _FLAGS.items() if parsed.state.flags & flag and flag != re.VERBOSE)
    text = _beginning(parsed, parsed.state)
    return f"(?{letters}:{text})" if letters else f"(?:{text})"


def _beginning(parts: Any, state: Any) -> str:
    """A sequence that begins before the text ends, so that what stands behind its beginning is known, and its first
    character."""
    found = []
    rest = iter(parts)
    for op, value in rest:
        if (behind := _behind(str(op), value)) is None:
            found.append(_character(str(op), value) or _part(str(op), value, state))
            break
        found.append(behind)
    return "".join(found) + _sequence(rest, state)


def _behind(op: str, value: Any) -> str | None:
    """What looks behind; None for anything else."""
    if op not in ("ASSERT", "ASSERT_NOT") or value[0] > 0:
        return None
    return f"(?<{'=' if op == 'ASSERT' else '!'}{_exact(value[1])})"


def _sequence(parts: Any, state: Any) -> str:
    return "".join(_part(str(op), value, state) for op, value in parts)


def _character(op: str, value: Any) -> str | None:
    """What takes one character; None for anything else."""
    match op:
        case "LITERAL":
            return re.escape(chr(value))
        case "NOT_LITERAL":
            return f"[^{re.escape(chr(value))}]"
        case "ANY":
            return "."
        case "IN":
            return _class(value)
        case _:
            return None


def _repeated(inner: Any, least: int, most: Any, state: Any) -> str:
    upto = "" if most is _parser.MAXREPEAT else most
    character = _character(str(inner[0][0]), inner[0][1]) if len(inner) == 1 else None
    if character is None:
        return f"(?:{_sequence(inner, state)}){{{least},{upto}}}"
    # The same as of anything else, but many times faster: Python counts what repeats a single character in one go.
    if least == 0:
        return f"{character}{{0,{upto}}}"
    return f"(?:{character}{{{least},{upto}}}|{character}{{0,{least - 1}}}{_END})"


def _part(op: str, value: Any, state: Any) -> str:
    if (character := _character(op, value)) is not None:
        return f"(?:{_END}|{character})"
    match op:
        case "BRANCH":
            return "(?:" + "|".join(_sequence(each, state) for each in value[1]) + ")"
        case "SUBPATTERN":
            return _group(value, state)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = value
            return _repeated(inner, least, most, state)
        case "ATOMIC_GROUP":
            return f"(?:{_sequence(value, state)})"
        case "ASSERT" | "ASSERT_NOT" if (behind := _behind(op, value)) is not None:
            return f"(?:{_END}|{behind})"
        case "ASSERT":
            return f"(?={_sequence(value[1], state)})"
        case "ASSERT_NOT":
            return ""
        case "AT":
            return f"(?:{_END}|{_AT[str(value)]})"
        case "GROUPREF":
            return "(?s:.{0,64})"
        case _:
            raise ValueError(f"an expression has a part that is not known here: {op}")


def _group(value: Any, state: Any) -> str:
    _, added, removed, inner = value
    on = "".join(letter for flag, letter in _FLAGS.items() if added & flag)
    off = "".join(letter for flag, letter in _FLAGS.items() if removed & flag)
    flags = on + (f"-{off}" if off else "")
    return f"(?{flags}:{_sequence(inner, state)})"


def _exact(parts: Any) -> str:
    """An expression as it is, of what looks behind: texts of fixed length, without repeats that vary."""
    found = []
    for op, value in parts:
        if (character := _character(str(op), value)) is not None:
            found.append(character)
            continue
        match str(op):
            case "BRANCH":
                found.append("(?:" + "|".join(_exact(each) for each in value[1]) + ")")
            case "SUBPATTERN":
                found.append(f"(?:{_exact(value[3])})")
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                found.append(f"(?:{_exact(value[2])}){{{value[0]},{value[1]}}}")
            case "AT":
                found.append(_AT[str(value)])
            case other:
                raise ValueError(f"an expression looks behind in a way that is not known here: {other}")
    return "".join(found)


def _class(parts: Sequence[tuple[Any, Any]]) -> str:
    found = []
    for op, value in parts:
        match str(op):
            case "NEGATE":
                found.append("^")
            case "LITERAL":
                found.append(re.escape(chr(value)))
            case "RANGE":
                found.append(f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}")
            case "CATEGORY":
                found.append(_CATEGORY[str(value)])
    return f"[{''.join(found)}]"


@lru_cache(4096)
def _goes_beyond_words(pattern: re.Pattern[str]) -> bool:
    """Whether it may match a space, or something that is not ASCII."""
    return any(re.match(each, " ") or re.match(each, "界") for each in _characters(_parser.parse(pattern.pattern)))


@lru_cache(4096)
def _where(pattern: re.Pattern[str]) -> tuple[bool, bool]:
    """Whether it only matches where no ASCII letter or figure stands before, and whether where an ASCII letter stands;
    true of the latter where that cannot be told."""
    parts: list[tuple[str, Any]] = [
        (str(op), value) for op, value in _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    ]
    first = next((number for number, (op, _) in enumerate(parts) if op not in ("ASSERT", "ASSERT_NOT", "AT")), 0)
    if not parts:
        return False, True
    op, value = parts[first]
    if op == "LITERAL":
        lettered = chr(value).isalpha()
    elif op == "IN":
        ours = re.compile(_class(value), pattern.flags & re.IGNORECASE)
        lettered = any(ours.match(letter) for letter in ascii_letters)
    else:
        return False, True
    return _is_bounded(*parts[first + 1]) if first + 1 < len(parts) else False, lettered


def _is_bounded(op: str, value: Any) -> bool:
    """Whether it looks behind, from one character on, for no letter and no figure: `(?<![A-Za-z0-9].)`."""
    if op != "ASSERT_NOT" or value[0] > 0 or [str(each) for each, _ in value[1]] != ["IN", "ANY"]:
        return False
    before = re.compile(_class(value[1][0][1]))
    return all(before.match(each) for each in ascii_letters + digits)


def _characters(parts: Any) -> Iterable[str]:
    """A class of each character that an expression takes."""
    for op, value in parts:
        match str(op):
            case "LITERAL":
                yield f"[{re.escape(chr(value))}]"
            case "NOT_LITERAL":
                yield f"[^{re.escape(chr(value))}]"
            case "ANY":
                yield "."
            case "IN":
                yield _class(value)
            case "BRANCH":
                for each in value[1]:
                    yield from _characters(each)
            case "SUBPATTERN":
                yield from _characters(value[3])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from _characters(value[2])
            case "ATOMIC_GROUP":
                yield from _characters(value)
            case "GROUPREF" | "GROUPREF_EXISTS":
                yield "."
