"""What is found for one action: matches from left to right, of which none overlaps another."""

import heapq
import re
from collections.abc import Sequence

from msgspec import Struct

from gateway.guards.base import CORE_MOST, Action
from gateway.guards.matching import Candidate, Search, Trial

VALUE_MOST = 2**16
"""Characters of a value that are kept for its replacement."""


class Match(Struct, gc=False):
    """A match in the whole text, as far as it is known. `closed`: whether it goes on no more."""

    trial: Trial
    score: float
    start: int
    core: int  # where its core ends
    end: int
    tail: re.Pattern[str] | None
    closed: bool
    shows: int = 0
    noted: bool = False
    value: str = ""
    kept: int = 0  # up to where it is in `value`

    def go_on(self, buffer: str, base: int, *, final: bool) -> None:
        """Follows the tail through what is known: `buffer`, which begins at `base`."""
        assert self.tail is not None
        was = self.end
        if (found := self.tail.match(buffer, was - base)) is not None:
            self.end = base + found.end()
        self.closed = final or self.end < base + len(buffer)
        if self.trial.until is not None:
            since = max(self.core, was - CORE_MOST) - base
            if (last := self.trial.until.search(buffer, since, self.end - base)) is not None:
                self.end = base + last.end()
                self.closed = True

    def keep(self, buffer: str, base: int) -> None:
        """Takes what the buffer has of the value, up to `VALUE_MOST` characters of all."""
        since = max(self.kept, self.start) - base
        self.value += buffer[since : self.end - base][: VALUE_MOST - len(self.value)]
        self.kept = self.end


class Track:
    """The matches of one action. `at`: where the next may begin; `open`: the last, while its tail goes on."""

    __slots__ = ("action", "at", "found", "open")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.at = 0
        self.open: Match | None = None
        self.found: list[Match] = []

    def state(self) -> tuple[int, Match | None, int]:
        """For `restore`, should a guard fail."""
        return self.at, self.open, len(self.found)

    def restore(self, state: tuple[int, Match | None, int]) -> None:
        """Forgets what was found since."""
        self.at, self.open, found = state
        del self.found[found:]

    def go_on(self, buffer: str, base: int, *, final: bool) -> None:
        """Follows an open tail through what is known."""
        if self.open is not None:
            self.open.go_on(buffer, base, final=final)
            self.at = self.open.end
            if self.open.closed:
                self.open = None

    def follow(self, searches: Sequence[Search], buffer: str, base: int, *, lo: int, final: bool) -> None:
        """Takes the leftmost of all candidates, from its end on the next, and so on; of a block the first is enough."""
        heap: list[tuple[tuple[int, int, int], int, Candidate]] = []
        for number, search in enumerate(searches):
            _push(heap, number, search, max(lo, self.at) - base)
        while heap and self.open is None:
            _, number, candidate = heapq.heappop(heap)
            at = self.at - base
            if candidate.start >= at:
                self._take(candidate, buffer, base, final=final)
                if self.action == Action.BLOCK:
                    return
                at = self.at - base
            _push(heap, number, searches[number], at)

    def _take(self, candidate: Candidate, buffer: str, base: int, *, final: bool) -> None:
        start, end = candidate.start + base, candidate.end + base
        match = Match(
            candidate.trial, candidate.score, start, end, end, candidate.tail, candidate.tail is None, candidate.shows
        )
        self.found.append(match)
        self.at = end
        if candidate.tail is not None:
            self.open = match
            self.go_on(buffer, base, final=final)


def _push(heap: list[tuple[tuple[int, int, int], int, Candidate]], number: int, search: Search, start: int) -> None:
    candidate = search.candidate(start)
    if candidate is not None:
        heapq.heappush(heap, (candidate.order(), number, candidate))
