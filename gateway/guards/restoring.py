"""Puts values back where an answer holds their placeholders, in whole texts and in streams. Pure.

Models change what they copy: case, spacing, markdown, the kind of brackets, escapes. All that is overlooked; each
letter and digit counts. A placeholder is found from its opening bracket on, within 64 characters, so a stream is held
back only from the bracket of what may still become one that is known here.

Where an answer leads elsewhere, as in the target of an image, placeholders stay: see `targets.py`.
"""

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from urllib.parse import quote

import msgspec

from gateway.guards.placeholders import ALPHABET, MAC_CHARS, Placeholders
from gateway.guards.targets import Targets

FORM_MOST = 64
"""Characters of a placeholder, however it was changed."""

_CLOSING = {
    "⟦": "⟧",
    "〚": "〛",
    "【": "】",
    "[[": "]]",
    "[": "]",
    "\\u27e6": "\\u27e7",
    "&lobrk;": "&robrk;",
    "&#x27e6;": "&#x27e7;",
    "&#10214;": "&#10215;",
    "%e2%9f%a6": "%e2%9f%a7",
}
_BETWEEN = ("\\u00b7", "\\u00a0", "&middot;", "&nbsp;", "&#183;", "&#xb7;", "%c2%b7", "%c2%a0", "%20", "%5f")
_JUNK = "*_~`·•∙⋅・･.:;|/‐‑–—#=\u200b\u200c\u200d\u2060\ufeff-"
_WORDS = sorted({form for form in (*_CLOSING.values(), *_BETWEEN) if len(form) > 1}, key=len)
_WORD_MOST = len(_WORDS[-1])

_INSIDE = "(?i:" + "|".join(map(re.escape, _BETWEEN)) + ")"
_BODY = re.compile(rf"(?:{_INSIDE}|[A-Za-z0-9\s{_JUNK}]|\\(?!u|\Z))*")
_NO_SIGN = re.compile(rf"{_INSIDE}|[^A-Za-z0-9]")
_OPENING = re.compile("(?:" + "|".join(map(re.escape, _CLOSING)) + r")(?![⟦〚【\[\]{}()'\",])", re.IGNORECASE)
"""Not before what ends it at once: texts may be full of brackets."""

_BEGINNINGS = sorted({form[:end] for form in _CLOSING for end in range(1, len(form))} - {"["}, key=len, reverse=True)
_BEGUN = re.compile("(?:" + "|".join(map(re.escape, _BEGINNINGS)) + r")\Z", re.IGNORECASE)

_NONE, _MORE = -1, -2
"""Instead of the end of a placeholder: there is none here; there may be one, as soon as more is known."""


class Restoring:
    """One text of an answer, piece by piece. What `feed` and `finish` return, put together, is what `restored` makes of
    the whole text, however it was cut.

    Args:
        in_json: the text is JSON, as the arguments of a tool call are: values are escaped as its strings demand.
    """

    def __init__(self, placeholders: Placeholders, *, in_json: bool = False) -> None:
        self._known = placeholders.known
        self._sorted = sorted(self._known)
        self._in_json = in_json
        self._pending = ""
        self._targets = Targets(in_json=in_json)
        self.blocked_by = ""  # it never is: a part of what streams of texts have in common

    @property
    def held(self) -> int:
        """Characters that are held back."""
        return len(self._pending)

    def feed(self, text: str) -> str:
        """What is decided of all that came so far."""
        return self._next(text, final=False) if self._sorted else text

    def finish(self) -> str:
        """The rest."""
        return self._next("", final=True) if self._pending else ""

    def _next(self, text: str, *, final: bool) -> str:
        text, self._pending = self._pending + text, ""
        found, done = [], 0
        for start, end, form in _forms(text, self._may_become, self._known.__contains__, final=final):
            found.append(self._said(text[done:start]))
            if end == _MORE:
                self._pending = text[start:]
                return "".join(found)
            is_kept = self._targets.inside()
            found.append(self._said(text[start:end] if is_kept else self._value(form, text[start])))
            done = end
        begun = None if final else _BEGUN.search(text, max(done, len(text) - _WORD_MOST))
        cut = begun.start() if begun else len(text)
        self._pending = text[cut:]
        return "".join((*found, self._said(text[done:cut])))

    def _said(self, text: str) -> str:
        """What goes out, as `_targets` have to know."""
        self._targets.feed(text)
        return text

    def _may_become(self, begun: str) -> bool:
        """Whether something known begins with this."""
        at = bisect_left(self._sorted, begun)
        return at < len(self._sorted) and self._sorted[at].startswith(begun)

    def _value(self, form: str, opening: str) -> str:
        """As it has to be written where the brackets are written like that."""
        value = self._known[form].value
        if opening == "%":
            return quote(value, safe="")
        if opening == "&":
            value = html.escape(value)
        if self._in_json or opening == "\\":
            return msgspec.json.encode(value).decode()[1:-1]
        return value


def restored(text: str, placeholders: Placeholders, *, in_json: bool = False) -> str:
    """A whole text with values in the place of those placeholders that are known. `in_json`: as in `Restoring`."""
    restoring = Restoring(placeholders, in_json=in_json)
    return restoring.feed(text) + restoring.finish()


def mentioned(text: str, placeholders: Placeholders) -> set[str]:
    """The codes of this conversation in a text that are not known here: an earlier request may have given them."""
    if placeholders.tag not in (lowered := text.lower()):
        return set()
    found = set(re.findall(f"{placeholders.tag}[{ALPHABET}]{{{MAC_CHARS}}}", lowered))
    return found - {given.code for given in placeholders.known.values()}


def _forms(
    text: str, may_become: Callable[[str], bool], is_one: Callable[[str], bool], *, final: bool
) -> Iterator[tuple[int, int, str]]:
    """Start, end and normal form of each placeholder, from left to right. The last one may still be open."""
    position = 0
    while opening := _OPENING.search(text, position):
        end, form = _read(text, opening, may_become, is_one, final=final)
        if end != _NONE:
            yield opening.start(), end, form
        if end == _MORE:
            return
        position = opening.start() + 1 if end == _NONE else end


def _read(
    text: str,
    opening: "re.Match[str]",
    may_become: Callable[[str], bool],
    is_one: Callable[[str], bool],
    *,
    final: bool,
) -> tuple[int, str]:
    """Where the placeholder that opens there ends, and its normal form. Looks at `FORM_MOST` characters at most."""
    last = opening.start() + FORM_MOST
    body = _BODY.match(text, opening.end(), last)
    assert body is not None
    stop, closing = body.end(), _CLOSING[opening[0].lower()]
    ahead = text[stop : stop + _WORD_MOST].lower()
    is_closed = ahead.startswith(closing) and stop + len(closing) <= last
    is_open = not is_closed and not final and len(text) < last and (not ahead or _is_begun(text, stop))
    form = _NO_SIGN.sub("", body[0]).lower() if is_closed or is_open else ""
    if is_closed and is_one(form):
        return stop + len(closing), form
    return (_MORE if is_open and may_become(form) else _NONE), ""


def _is_begun(text: str, start: int) -> bool:
    """Whether all that is left of the text is the beginning of a longer form of a bracket, or of what stands inside."""
    rest = text[start:].lower()
    return any(word.startswith(rest) for word in _WORDS)
