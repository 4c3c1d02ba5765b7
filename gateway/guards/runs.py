"""Views of what is text in the bytes that an encoded run stands for, with their way back to the run."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from gateway.guards.base import CONTEXT_MOST
from gateway.guards.folding import fold
from gateway.guards.views import View

_TEXT = re.compile(rb"(?:[\t\n\r -~]|[\xc2-\xdf][\x80-\xbf]|\xe2[\x80-\xbf]{2}|\xef[\xbc-\xbd][\x80-\xbf]){6,}")
"""What of decoded bytes is text: ASCII, and in UTF-8 accents, Cyrillic, Greek, signs and full-width forms."""

_TEXT_WIDE = re.compile(rb"(?:[\t\n\r -~]\x00){5,}[\t\n\r -~]")
"""The same in UTF-16, in either order of bytes: ASCII."""


def has_text(decoded: bytes) -> bool:
    """Whether anything in decoded bytes is text that is long enough to be looked at."""
    return _TEXT.search(decoded) is not None or (b"\x00" in decoded and _TEXT_WIDE.search(decoded) is not None)


def texts(view: View, places: Sequence[int], skip: int, decoded: bytes, bits: int) -> Iterator[View]:
    """Views of what is text in the bytes that the characters at `places` from `skip` on stand for, `bits` each."""
    for found in _TEXT.finditer(decoded):
        run = _Run(view, places, skip, bits, *found.span())
        if not view.touches(run.begins(0), run.ends_at(len(found[0]) - 1)):
            continue
        context = view.text[max(0, places[0] - CONTEXT_MOST) : places[0]]
        if found[0].isascii():
            yield Decoded(context, found[0].decode(), run)
        else:
            yield _folded(context, found[0].decode(), run)
    if b"\x00" in decoded:
        yield from _wide_texts(view, places, skip, decoded, bits)


def _wide_texts(view: View, places: Sequence[int], skip: int, decoded: bytes, bits: int) -> Iterator[View]:
    """The same of what is in UTF-16."""
    for found in _TEXT_WIDE.finditer(decoded):
        run = _Run(view, places, skip, bits, *found.span(), wide=True)
        text = found[0][::2].decode()
        if view.touches(run.begins(0), run.ends_at(len(text) - 1)):
            yield Decoded(view.text[max(0, places[0] - CONTEXT_MOST) : places[0]], text, run)


class _Run:
    """Where the bytes from `since` to `until` of an encoded run stand. `wide`: a character has every other of them."""

    __slots__ = ("bits", "each", "last", "places", "since", "skip", "straight", "until", "view")

    def __init__(
        self, view: View, places: Sequence[int], skip: int, bits: int, since: int, until: int, *, wide: bool = False
    ) -> None:
        self.view = view
        self.places = places
        self.last = len(places) - 1
        self.skip = skip
        self.bits = bits
        self.since = since
        self.until = until
        self.each = 2 if wide else 1
        self.straight = isinstance(places, range) and not view.shrinks and not wide

    def begins(self, index: int) -> int:
        return self.view.start(self.places[self.skip + 8 * (self.since + index * self.each) // self.bits])

    def ends_at(self, index: int) -> int:
        place = self.skip + (8 * (self.since + index * self.each) + 7) // self.bits
        return self.view.end(self.places[min(place, self.last)])

    def spans(self) -> tuple[list[int], list[int]]:
        """Of each character's byte where it begins and where it ends."""
        skip, bits, places, last = self.skip, self.bits, self.places, self.last
        bytes_ = range(8 * self.since, 8 * self.until, 8 * self.each)
        firsts = [places[skip + bit // bits] for bit in bytes_]
        lasts = [places[min(skip + (bit + 7) // bits, last)] for bit in bytes_]
        if not self.view.shrinks:
            return firsts, [place + 1 for place in lasts]
        return list(map(self.view.start, firsts)), list(map(self.view.end, lasts))


class Decoded(View):
    """The text of a run, behind what stood before the run. Its way back is calculated where it is needed."""

    __slots__ = ("_context", "_places", "_run")

    def __init__(self, context: str, text: str, run: _Run) -> None:
        view = run.view
        super().__init__(
            context + "\n" + text, begin=len(context) + 1, margin=view.margin + 8, run=True, layers=view.layers
        )
        self._context = run.places[0] - len(context)
        self._run = run
        self._places = range(len(self.text))
        self.shrinks = True

    def expand(self) -> None:
        if self.starts is None:
            before = range(self.begin)
            starts, ends = [self.start(index) for index in before], [self.end(index) for index in before]
            own_starts, own_ends = self._run.spans()
            self.starts, self.ends = starts + own_starts, ends + own_ends

    def start(self, index: int) -> int:
        if self.starts is not None:
            return self.starts[index]
        if index >= self.begin:
            return self._run.begins(index - self.begin)
        return self._run.view.start(self._context + index)

    def end(self, index: int) -> int:
        if self.ends is not None:
            return self.ends[index]
        if index >= self.begin:
            return self._run.ends_at(index - self.begin)
        place = self._context + index
        return self._run.view.end(place) if index < self.begin - 1 else self._run.view.start(place)

    def index(self, at: int) -> int:
        run = self._run
        if self.starts is not None:
            return bisect_left(self.starts, at)
        if not run.straight:
            return bisect_left(self._places, at, key=self.start)
        signs = at - run.places[0] - run.skip  # of the run before it
        if signs > 0 or at > run.places[0]:
            return self.begin + min(max(-(-max(signs, 0) * run.bits // 8) - run.since, 0), run.until - run.since)
        return min(max(at - self._context, 0), self.begin - 1)

    def before(self, at: int) -> int:
        run = self._run
        if self.ends is not None:
            return bisect_right(self.ends, at)
        if not run.straight or at < run.places[0]:
            return bisect_right(self._places, at, key=self.end)
        signs = at - run.places[0] - run.skip
        if signs >= run.last + 1 - run.skip:
            return len(self.text)
        return self.begin + min(max(max(signs, 0) * run.bits // 8 - run.since, 0), run.until - run.since)


def _folded(context: str, text: str, run: _Run) -> View:
    """The same of a text that is not ASCII."""
    plain = Decoded(context, "", run)
    parts, at = [plain.text], 0
    starts = [plain.start(index) for index in range(plain.begin)]
    ends = [plain.end(index) for index in range(plain.begin)]
    begins, ends_at = run.spans()
    for character in text:
        instead = character if character < "\x7f" else fold(character)
        after = at + (1 if character < "\x80" else len(character.encode()))
        parts.append(instead)
        for _ in instead:
            starts.append(begins[at])
            ends.append(ends_at[after - 1])
        at = after
    return View("".join(parts), starts, ends, begin=plain.begin, margin=plain.margin, run=True, layers=plain.layers)
