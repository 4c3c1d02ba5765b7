"""Where a text leads elsewhere: targets of links and images, addresses. What stands there is sent to whoever it names,
often as soon as it is shown, so a client's own values are not put there. Pure.

Read from left to right. Where those who render texts differ, or forms of Markdown and HTML stand in each other, more is
a target: several may be open at one place.
"""

import re

BLOCK = 2**15
"""Characters that are read together."""

_OVERLAP = 128
"""Characters in which what opens a target has opened it."""

_SPACE = r"[ \t\r\n\f\v]"
_OPENING = rf"""
    [\](=:/.](?:
      (?P<angle>(?<=\])[(:]{_SPACE}{{0,8}}<)
    | (?P<round>(?<=\])\({_SPACE}{{0,8}})
    | (?P<reference>(?<=\]):{_SPACE}{{0,8}})
    | (?P<quoted>(?<=[=(]){_SPACE}{{0,8}}\\?(?P<quote>["']))
    | (?P<attribute>(?<==))
    | (?P<style>(?<=\(){_SPACE}{{0,8}})
    | (?P<bare>(?<=/)/|(?<=[A-Za-z0-9]\.)[A-Za-z]{{2,24}}(?::[0-9]{{1,5}})?[/?\#])
    | (?P<named>(?<=[:.]))
    )
"""
"""Begins with a character of a class, which is searched for quickly; the rest is looked at where it occurs."""

_ATTRIBUTE = rf"(?:srcset|src|href|action|poster|background|ping|manifest|longdesc){_SPACE}{{0,8}}\Z"
_BEFORE = {
    "reference": re.compile(r"^[ >*+.0-9-]{0,12}\[[^\]\n]{1,90}\Z", re.MULTILINE),
    "quoted": re.compile(rf"{_ATTRIBUTE}|url\Z", re.IGNORECASE),
    "attribute": re.compile(_ATTRIBUTE, re.IGNORECASE),
    "style": re.compile(r"url\Z", re.IGNORECASE),
    "named": re.compile(r"(?:https?|ftps?|wss?|file|blob|www)\Z", re.IGNORECASE),
}
"""What has to stand before it."""

_OPENS = re.compile(_OPENING, re.VERBOSE)
_SIGNS = re.compile(rf"{_OPENING} | (?P<sign>\\[^\n]|[ \t\r\n\f\v\"'<>()`])", re.VERBOSE)
_OF_SPACE = frozenset({"round", "reference", "attribute", "bare"})
_CLOSED_BY = {
    **dict.fromkeys(" \t\r\f\v", _OF_SPACE),
    "\n": _OF_SPACE | {"angle"},
    ">": frozenset({"angle", "attribute", "bare"}),
    "<": frozenset({"bare"}),
    "`": frozenset({"bare"}),
    '"': frozenset({'"', "bare"}),
    "'": frozenset({"'"}),
    ")": frozenset({"style"}),
}
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}
_TO_A_PERSON = re.compile(r"(?:(?:mailto|tel|sms):)?", re.IGNORECASE)
_PERSON_MOST = 7
_BEFORE_MOST = 104


class Targets:
    """Follows a text that comes in pieces. `in_json`: line ends may be written as escapes."""

    def __init__(self, *, in_json: bool = False) -> None:
        self._in_json = in_json
        self._text = ""
        self._at = 0  # up to where it is read
        self._open: dict[str, int] = {}  # targets: where each begins
        self._depth = 0  # of brackets in a round one

    def feed(self, text: str) -> None:
        """Takes what goes out next."""
        self._text += text
        while len(self._text) - self._at >= 2 * BLOCK:
            self._read(self._at + BLOCK)

    def inside(self) -> bool:
        """Whether what comes now would be part of a target. Not so where it begins one, as it leads nowhere but where
        it says itself, or is somebody's address in `mailto:` and the like."""
        self._read(len(self._text))
        return any(kind == "bare" or not self._names_all(since) for kind, since in self._open.items())

    def _names_all(self, since: int) -> bool:
        if len(self._text) - since > _PERSON_MOST:
            return False
        return _TO_A_PERSON.fullmatch(self._text, since) is not None

    def _read(self, end: int) -> None:
        while found := (_SIGNS if self._open else _OPENS).search(self._text, self._at):
            if found.start() >= end:
                break
            kind = str(found.lastgroup)
            if kind == "sign" or not self._is_one(kind, found.start()):
                self._at = found.start() + (len(found[0]) if kind == "sign" else 1)
                self._close(found[0] if kind == "sign" else found[0][:1])
                continue
            self._at = found.end()
            if kind == "round" and "round" in self._open:
                self._depth += 1
            else:
                self._begin({"quoted": found["quote"], "named": "bare"}.get(kind, kind))
        self._at = max(self._at, end if self._open else end - _OVERLAP)
        self._forget()

    def _is_one(self, kind: str, at: int) -> bool:
        """Whether before it stands what has to."""
        before = _BEFORE.get(kind)
        return before is None or before.search(self._text, max(0, at - _BEFORE_MOST), at) is not None

    def _begin(self, kind: str) -> None:
        self._open.setdefault(kind, self._at)
        if kind == "round":
            self._depth = 0

    def _close(self, sign: str) -> None:
        if sign in "()":
            self._depth += 1 if sign == "(" else -1
            if self._depth < 0:
                self._open.pop("round", None)
        sign = _ESCAPES.get(sign, sign[-1]) if self._in_json else sign[-1]
        for kind in _CLOSED_BY.get(sign, ()):
            self._open.pop(kind, None)

    def _forget(self) -> None:
        gone = max(0, self._at - _OVERLAP)
        self._text = self._text[gone:]
        self._at -= gone
        self._open = {kind: since - gone for kind, since in self._open.items()}
