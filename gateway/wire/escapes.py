"""JSON that stands in a text, as arguments of a tool call do, read as its strings mean it; and written back. Pure.

Guards decide by the characters around a match. In `"Card:\\n4111…"` that is a line end, not an `n`; so escapes are
resolved before they look, and put back behind them. What ends or escapes a string stays escaped: quotes, backslashes
and control characters. Outside of strings nothing is changed.
"""

import re
from bisect import bisect_right
from typing import Protocol

_MEANS = {"n": "\n", "r": "\r", "t": "\t", "/": "/"}
_WRITTEN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_BEGUN = r"\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z|\\(?:u[0-9a-fA-F]{0,3})?\Z"
_READ = re.compile(rf'"|(?P<begun>{_BEGUN})|{_PAIR}|\\u[0-9a-fA-F]{{4}}|\\.', re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d.eE+-]*")
_WRITE = re.compile(r'"|\\(?:.|\Z)|[\n\r\t]', re.DOTALL)


class TextStream(Protocol):
    """What takes a text in pieces, and gives out what is decided of it."""

    @property
    def blocked_by(self) -> str:
        """Who stopped it; empty while nobody did."""

    @property
    def held(self) -> int:
        """How many characters it keeps back."""

    def feed(self, text: str) -> str: ...

    def finish(self) -> str: ...


class Reader:
    """Resolves escapes of a text that comes in pieces; an escape that has only begun waits for its end."""

    def __init__(self) -> None:
        self.pending = ""
        self._in_string = False

    def read(self, text: str, *, is_last: bool = False) -> str:
        text, self.pending = self.pending + text, ""
        if "\\" not in text:
            self._in_string ^= text.count('"') % 2 == 1
            return text
        read = _READ.sub(self._one, text)
        if is_last:
            read, self.pending = read + self.pending, ""
        return read

    def _one(self, match: re.Match[str]) -> str:
        found = match[0]
        if found == '"':
            self._in_string = not self._in_string
        elif match["begun"]:
            self.pending = found
            return ""
        elif self._in_string:
            return _meaning(found)
        return found


class Writer:
    """Writes what a `Reader` has read as it has to stand in JSON."""

    def __init__(self) -> None:
        self._in_string = False
        self._is_escaped = False

    def write(self, text: str) -> str:
        first = text[:1] if self._is_escaped else ""  # of an escape that the last piece ended in
        if first:
            self._is_escaped, text = False, text[1:]
        return first + _WRITE.sub(self._one, text)

    def _one(self, match: re.Match[str]) -> str:
        found = match[0]
        if found == '"':
            self._in_string = not self._in_string
        elif found == "\\":
            self._is_escaped = True
        elif self._in_string:
            return _WRITTEN.get(found, found)
        return found


class Strings:
    """Where in a text that a `Reader` has read its strings are."""

    def __init__(self, text: str = "") -> None:
        self._quotes: list[int] = []
        self._length = 0
        self._is_escaped = False
        self.feed(text)

    def feed(self, text: str) -> None:
        """Takes what comes next."""
        start = 1 if self._is_escaped and text else 0
        self._is_escaped = self._is_escaped and not text
        for match in _WRITE.finditer(text, start):
            if match[0] == '"':
                self._quotes.append(self._length + match.start())
            self._is_escaped = match[0] == "\\"
        self._length += len(text)

    def quoted(self, new: str, *, value: str, at: int) -> str:
        """What stands for `value`, which began at a character: a string where that was a number outside of one."""
        is_inside = bisect_right(self._quotes, at) % 2 == 1
        return new if is_inside or not _NUMBER.fullmatch(value) else f'"{new}"'


class Escaped:
    """A stream of text inside which another looks at what it means, and finds out by `strings` where it is."""

    def __init__(self, inner: TextStream, strings: Strings | None = None) -> None:
        self._inner = inner
        self._strings = strings
        self._reader, self._writer = Reader(), Writer()

    @property
    def blocked_by(self) -> str:
        return self._inner.blocked_by

    @property
    def held(self) -> int:
        return self._inner.held + len(self._reader.pending)

    def feed(self, text: str) -> str:
        return self._writer.write(self._meant(self._reader.read(text)))

    def finish(self) -> str:
        last = self._meant(self._reader.read("", is_last=True))
        return self._writer.write(last + self._inner.finish())

    def _meant(self, text: str) -> str:
        if self._strings is not None:
            self._strings.feed(text)
        return self._inner.feed(text)


def read(text: str) -> str:
    """A whole text with its escapes resolved."""
    return Reader().read(text, is_last=True) if "\\" in text else text


def written(text: str) -> str:
    """The same, as it has to stand in JSON."""
    return Writer().write(text)


def _meaning(escape: str) -> str:
    if len(escape) == 2:
        return _MEANS.get(escape[1], escape)
    if len(escape) == 12:
        return (chr(int(escape[2:6], 16)) + chr(int(escape[8:], 16))).encode("utf-16", "surrogatepass").decode("utf-16")
    character = chr(int(escape[2:], 16))
    is_kept = character in '"\\' or (character < " " and character not in _WRITTEN) or "\ud800" <= character <= "\udfff"
    return escape if is_kept else character
