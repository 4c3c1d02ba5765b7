"""What is looked for in texts of one role and direction, and the one pass that says which of it to try."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial

from gateway.guards.base import CONTEXT_MOST, CORE_MOST
from gateway.guards.decoding import DECODERS, DEEPEST
from gateway.guards.folding import folded
from gateway.guards.matching import Trial, Tried
from gateway.guards.opening import Opening, opening_of
from gateway.guards.scanning import Scanner, scanner_of
from gateway.guards.views import View

_OWN = (r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", *(scan for scan, _ in DECODERS))
"""What is looked for besides: characters that fold, and encodings."""

_CONTROL = 0
_NONE: Mapping[int, int] = {}

Parts = dict[int, list[tuple[int, int]]]
"""By what occurs: where matches may begin; everywhere, if it is not there."""

_EVERYWHERE: Parts = {}

_PART = 512
"""Longer texts are scanned again in parts, so that what occurs is looked for only where it does."""

_SHORT = 160
_SHARED = 3
"""What is scanned for so many trials is located in texts that are not so short."""

_LOCATED_MOST = 64

_CLEAN_MOST = 2**13


class Plan:
    """Trials by their `scan`, and those that are always tried, as finders are."""

    def __init__(
        self, scanned: Sequence[tuple[str, Trial]], always: Sequence[Trial] = (), scanner: Scanner | None = None
    ) -> None:
        self._scanned = scanned
        self._always = tuple(always)
        self._of_scan = of_scan = dict[str, list[Trial]]()
        for scan, trial in scanned:
            of_scan.setdefault(scan, []).append(trial)  # what several rules share is scanned for once
        self._trials = tuple(of_scan.values())
        self._occurs = [partial(self._occurring_in, number) for number in range(len(_OWN), len(_OWN) + len(of_scan))]
        self._beside = frozenset(
            number for number, trials in enumerate(self._trials, len(_OWN)) if any(trial.beside for trial in trials)
        )
        self._scanner = scanner or scanner_of((*_OWN, *of_scan))
        every = (*(trial for _, trial in scanned), *self._always)
        self._patterns = tuple(trial.pattern for trial in every)
        self.actions = sorted({trial.action for trial in every}, reverse=True)
        self.terms = tuple({trial.guard: trial.terms for trial in every}.values())

    def with_finders(self, finders: Sequence[Trial]) -> "Plan":
        """The same, with what is looked for in one request alone."""
        return Plan(self._scanned, (*self._always, *finders), self._scanner) if finders else self

    @cached_property
    def locators(self) -> dict[int, Scanner]:
        """What many trials share, with where each match ends: by its number."""
        return {
            number: scanner_of((scan,), once=False)
            for number, scan in enumerate(self._of_scan, len(_OWN))
            if len(self._of_scan[scan]) >= _SHARED
        }

    @cached_property
    def opening(self) -> Opening | None:
        """Where matches may be under way; None: it has finders, which do not say."""
        patterns = tuple(each for each in self._patterns if each is not None)
        return opening_of(patterns) if len(patterns) == len(self._patterns) else None

    @property
    def empty(self) -> bool:
        return not self.actions

    def is_clean(self, texts: Sequence[str]) -> bool:
        """Whether nothing is to be tried on any of the texts, as far as one scan of all of them tells. No `scan` asks
        where a text begins or ends but with what a line break does for as well, so that they may be put together."""
        if self.empty:
            return True
        if self._always or sum(map(len, texts)) > _CLEAN_MOST:
            return False
        text = "\n".join(texts)
        return text.isascii() and not self._scanner.occurring(text.encode())

    def tried(self, text: str) -> list[Tried]:
        """What is to be tried on a text, where in it, and on which of its views."""
        hits = _NONE
        if text.isascii():
            data = text.encode()
            hits = self._scanner.occurring(data)
            if not hits:
                return [Tried(trial, View(text)) for trial in self._always] if self._always else []
            view = View(text)
        if not hits or _CONTROL in hits:
            view = folded(text)
            data = view.text.encode("ascii", "replace")
            hits = self._scanner.occurring(data)
        return list(self._in(view, hits, 0, self._parts(data, hits)))

    def _parts(self, data: bytes, hits: Mapping[int, int]) -> Parts:
        """Where in a text what occurs in it does. A match lies where its `scan` does, or close behind it."""
        parts: Parts = {}
        if max(hits, default=0) < len(_OWN):
            return parts
        scanned = [hit for hit in hits if hit >= len(_OWN) and hit not in self.locators]
        if scanned and len(data) > _PART:
            parts = self._parts_from(min(hits[hit] for hit in scanned), data)
        if len(data) > _SHORT:
            parts |= {hit: _around(self.locators[hit], data) for hit in hits if hit in self.locators}
        return parts

    def _parts_from(self, first: int, data: bytes) -> Parts:
        """Scans it again in parts. `first`: where what is looked for ends first."""
        parts: Parts = {}
        for start in range(max(0, first - CORE_MOST - 1), len(data), _PART):
            near = data[max(0, start - CONTEXT_MOST) : start + _PART + CORE_MOST + 1]
            for hit in self._scanner.occurring(near):
                of_hit = parts.setdefault(hit, [])
                since = of_hit.pop()[0] if of_hit and of_hit[-1][1] == start else start
                of_hit.append((since, start + _PART))
        return parts

    def _occurring_in(self, number: int, text: str) -> bool:
        return number in self._scanner.occurring(text.encode("ascii", "replace"))

    def _occurring(self, view: View) -> Mapping[int, int]:
        """In a run what occurs in itself, and of what may stand before a match also what occurs before it."""
        data = view.text.encode("ascii", "replace")
        hits = self._scanner.occurring(data)
        if not hits or not view.run:
            return hits
        within = self._scanner.occurring(data[view.begin :])
        return {hit: end for hit, end in hits.items() if hit in self._beside} | within

    def _in(self, view: View, hits: Iterable[int], depth: int, parts: Parts) -> Iterator[Tried]:
        for hit in hits:
            if hit >= len(_OWN):
                for trial in self._trials[hit - len(_OWN)]:
                    yield Tried(trial, view, parts.get(hit), self._occurs[hit - len(_OWN)])
        for trial in self._always:
            yield Tried(trial, view)
        if depth < DEEPEST:
            for hit in hits:
                if 0 < hit < len(_OWN):
                    for decoded in DECODERS[hit - 1][1](view):
                        yield from self._in(decoded, self._occurring(decoded), depth + 1, _EVERYWHERE)


def _around(locator: Scanner, data: bytes) -> list[tuple[int, int]]:
    """Where matches may begin, by where what they are scanned for ends. In what is full of it nothing is located, as
    each place costs time."""
    parts: list[tuple[int, int]] = []
    ends = locator.ends(data, _LOCATED_MOST)
    for each in ends:
        since, until = max(0, each - CORE_MOST - 1), each + CONTEXT_MOST
        if parts and since <= parts[-1][1]:
            since = parts.pop()[0]
        parts.append((since, until))
    if len(ends) == _LOCATED_MOST:
        parts[-1] = (parts[-1][0], len(data))
    return parts
