"""Where rules match: candidates at each place of a text and of what is encoded in it.

Whether there is one at a place is decided by the text from `CONTEXT_MOST` characters before it to `reach` behind it,
and by nothing else. Of a view that shrinks the text (invisible characters, encodings) fewer characters may fit into
that reach than a rule may look at: at such a place, a dense one, each rule is tried by itself, on what fits.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache

from msgspec import Struct

from gateway.guards.base import CONTEXT_MOST, CORE_MOST, Around, Direction, Finder, Role, Rule, Terms
from gateway.guards.folding import INVISIBLE
from gateway.guards.views import View

_compiled = lru_cache(2**12)(re.compile)
"""Most tenants have the same rules: `re` itself keeps fewer expressions than all of them are."""


class Trial:
    """A rule or a finder, ready to be tried."""

    __slots__ = (
        "action",
        "beside",
        "check",
        "finder",
        "first",
        "guard",
        "name",
        "pattern",
        "shows",
        "tail",
        "terms",
        "until",
    )

    def __init__(self, terms: Terms, rule: Rule | Finder) -> None:
        self.terms = terms
        self.action = terms.action
        self.guard = rule.guard
        self.name = rule.name
        self.first = rule.first
        self.shows = rule.shows
        self.tail = rule.tail
        self.beside = False
        self.until: re.Pattern[str] | None = None
        self.check: Callable[[str, Around], float] | None = None
        self.pattern: re.Pattern[str] | None = None
        self.finder: Finder | None = None
        if isinstance(rule, Rule):
            self.pattern = _compiled(rule.pattern)
            self.check = rule.check
            self.until = _compiled(rule.until) if rule.until else None
            self.beside = rule.beside
        else:
            self.finder = rule

    def search(self, text: str, start: int, stop: int, limit: int) -> tuple[int, int] | None:
        """The first match that begins from `start` to before `stop`, in the text up to `limit`."""
        if self.pattern is not None:
            found = self.pattern.search(text, start, limit)
            return found.span() if found is not None and found.start() < stop else None
        assert self.finder is not None
        skipped = max(0, start - CONTEXT_MOST)
        span = self.finder.search(text[skipped:limit], start - skipped, stop - skipped)
        return span and (span[0] + skipped, span[1] + skipped)


class Tried(Struct, frozen=True, gc=False):
    """What is to be tried on a view.

    `parts`: only on what begins in these parts of it; None: everywhere. `occurs`: whether its `scan` occurs in a text,
    as it must near a match: else what was tried because of another place would depend on that place.
    """

    trial: Trial
    view: View
    parts: Sequence[tuple[int, int]] | None = None
    occurs: Callable[[str], bool] | None = None


class Window(Struct, frozen=True, gc=False):
    """What part of a text is decided: what begins from `lo` to before `hi`.

    `reach`: what is known behind each of these places, at least; all of the rest where `final`.
    """

    lo: int
    hi: int
    reach: int
    final: bool
    role: Role
    direction: Direction


class Candidate(Struct, frozen=True, gc=False):
    """A match that its check approved: in the text as it is, `start` to `end`, without its tail."""

    start: int
    end: int
    score: float
    trial: Trial
    tail: re.Pattern[str] | None
    shows: int

    def order(self) -> tuple[int, int, int]:
        return (self.start, -self.trial.first, self.start - self.end)


class Failed(Exception):
    """A guard raised something. `terms`: its own."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms.guard)
        self.terms = terms


class Search:
    """The candidates of one trial in one view of a window.

    What is still to be looked through is gone through in stretches: of a part, and either of dense places or of others.
    """

    __slots__ = ("_at", "_limit", "_occurs", "_parts", "_stop", "_stretch", "_trial", "_view", "_window")

    def __init__(self, tried: Tried, window: Window) -> None:
        self._trial = tried.trial
        self._view = view = tried.view
        self._occurs = tried.occurs
        self._window = window
        self._at = self._stretch = view.begin  # where to go on, and the end of the stretch in which that is
        self._limit = 0  # up to where a match in it may look; 0: it is of dense places
        self._stop = min(view.index(window.hi), view.last)
        self._parts = deque(tried.parts if tried.parts is not None else [(0, self._stop)])
        if view.dense is None:
            view.dense, view.limits = dense_places(view, window)

    def candidate(self, start: int) -> Candidate | None:
        """The first that begins at `start` of the text or later.

        Raises:
            Failed: if the guard did.
        """
        self._at = max(self._at, self._view.index(start))
        try:
            return self._next()
        except Exception as error:
            raise Failed(self._trial.terms) from error

    def _next(self) -> Candidate | None:
        text, search, threshold = self._view.text, self._trial.search, self._trial.terms.threshold
        while self._at < self._stretch or self._enter():
            span = search(text, self._at, self._stretch, self._limit) if self._limit else self._dense_span()
            if span is None:
                self._at = self._stretch
                continue
            first, last = span
            self._at = first + 1
            score = self._score(first, last)
            if score > 0 and score >= threshold and self._scanned(first):
                return self._candidate(first, last, score)
        return None

    def _enter(self) -> bool:
        """Goes on to the next stretch; tells whether there is one."""
        view, dense = self._view, self._view.dense
        assert dense is not None
        while self._parts and self._parts[0][1] <= self._at:
            self._parts.popleft()
        if not self._parts or self._at >= self._stop:
            return False
        self._at = max(self._at, self._parts[0][0])
        self._stretch = min(self._parts[0][1], self._stop)
        following = bisect_left(dense, self._at)
        if following < len(dense) and dense[following] == self._at:
            self._limit = 0
            self._stretch = min(self._stretch, _together(dense, following))
        else:
            if following < len(dense):
                self._stretch = min(self._stretch, dense[following])
            self._limit = min(len(view.text), self._stretch + CORE_MOST)
        return self._at < self._stretch

    def _dense_span(self) -> tuple[int, int] | None:
        """The next match in a stretch of dense places, each tried by itself."""
        view, trial = self._view, self._trial
        text, limits = view.text, view.limits
        assert view.dense is not None
        shift = bisect_left(view.dense, self._at) - self._at
        if trial.pattern is None:
            spans = (trial.search(text, at, at + 1, limits[shift + at]) for at in range(self._at, self._stretch))
            return next((span for span in spans if span is not None), None)
        match = trial.pattern.match
        for at in range(self._at, self._stretch):
            if (found := match(text, at, limits[shift + at])) is not None:
                return found.span()
        return None

    def _candidate(self, first: int, last: int, score: float) -> Candidate:
        view, trial = self._view, self._trial
        start, end = view.start(first), view.end(last - 1)
        tail = tail_of(trial.tail, view.written_with(start, end), run=view.run)
        return Candidate(start, end, score, trial, tail, 0 if view.run or view.layers else trial.shows)

    def _score(self, first: int, last: int) -> float:
        trial, view = self._trial, self._view
        if last == first or (view.layers and not view.touches(view.start(first), view.end(last - 1))):
            return 0.0
        if trial.check is None:
            return 1.0
        since = view.index(view.start(first) - CONTEXT_MOST)
        written = view.written(first, last) if view.source is not None else ""
        window = self._window
        before = view.text[max(since, first - CONTEXT_MOST) : first].lower()
        around = Around(before, window.role, window.direction, written, view.run)
        return trial.check(view.text[first:last], around)

    def _scanned(self, first: int) -> bool:
        """Whether what the rule is scanned for occurs from `CONTEXT_MOST` before a match on."""
        if self._occurs is None:
            return True
        view, limit = self._view, first + CORE_MOST + 1
        if not self._window.final and view.shrinks:
            limit = min(limit, fitting(view, first, self._window))
        begin = view.begin if view.run and not self._trial.beside else 0
        since = max(first - CONTEXT_MOST, view.index(view.start(first) - CONTEXT_MOST), begin)
        return self._occurs(view.text[since:limit])


def fitting(view: View, index: int, window: Window) -> int:
    """How many characters of the view are certain when `reach` behind the one at `index` is known."""
    return view.before(view.start(index) + window.reach + 1 - view.margin)


def dense_places(view: View, window: Window) -> tuple[Sequence[int], Sequence[int]]:
    """Where fewer characters fit than a rule may look at; and up to where they do, of each of these places."""
    size = len(view.text)
    if window.final or not view.shrinks or not size:
        return (), ()
    ahead = window.reach + 1 - view.margin
    if view.end(size - 1) - view.start(0) - size + CORE_MOST < ahead:
        return (), ()
    view.expand()
    starts, ends = view.starts, view.ends
    assert starts is not None
    assert ends is not None
    places: list[int] = []
    limits: list[int] = []
    limit = 0
    for place in range(max(view.index(window.lo), view.begin), min(view.index(window.hi), view.last)):
        until = starts[place] + ahead
        while limit < size and ends[limit] <= until:
            limit += 1
        if limit <= place + CORE_MOST:
            places.append(place)
            limits.append(limit)
    return places, limits


def _together(dense: Sequence[int], following: int) -> int:
    """Where the stretch of dense places ends that begins with this one."""
    least, most = following, len(dense) - 1
    while least < most:  # places rise: as long as none is left out, they rise with their numbers
        middle = (least + most + 1) // 2
        if dense[middle] - dense[following] == middle - following:
            least = middle
        else:
            most = middle - 1
    return dense[least] + 1


_TAILS: dict[tuple[str, str, bool], re.Pattern[str] | None] = {}


def tail_of(own: str, also: str, *, run: bool) -> re.Pattern[str] | None:
    """By what a match goes on. `own`: a class, of its rule; `also`: the inside of one, `run`: both of its view."""
    key = (own, also, run)
    if key not in _TAILS:
        goes_on = rf"[A-Za-z0-9+/=_\-{INVISIBLE}]*" if run else f"(?:{own}|[{also}{INVISIBLE}])*"
        _TAILS[key] = re.compile(goes_on) if own or run else None
    return _TAILS[key]
