"""What a process counts of its requests: plain numbers, which `http/exposition.py` shows.

The request path adds to them in its one thread, so nothing is locked. Labels are words of the gateway's own, never
what a client or an upstream has sent.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from gateway.exchange import Exchange
from gateway.guards.verdicts import Outcome

LATENCY_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
OVERHEAD_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

GUARDING_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Histogram:
    """How many values lay at or below each bound. The last of `counts` is for those above all of them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulated(self) -> Iterator[tuple[str, int]]:
        """Each bound with how many values lie at or below it, as Prometheus writes them."""
        names = [*map(str, self.bounds), "+Inf"]
        return zip(names, accumulate(self.counts), strict=True)


class Metrics:
    """The counts of one process, since it began."""

    __slots__ = ("faults", "guard_failures", "guard_findings", "guarding", "latency", "overhead", "requests", "streams")

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], int] = {}  # by outcome and code
        self.faults = 0
        self.streams = 0
        self.latency = Histogram(LATENCY_S)
        self.overhead = Histogram(OVERHEAD_S)
        self.guarding = Histogram(GUARDING_S)
        self.guard_findings: dict[tuple[str, str, str], int] = {}  # by guard, action and direction
        self.guard_failures: dict[tuple[str, str, str], int] = {}  # by guard, error and action

    def ended(self, exchange: Exchange) -> None:
        """Counts an exchange that went through the pipeline."""
        self._count(exchange.outcome, exchange.code)
        if exchange.guard_s:
            self.guarding.observe(exchange.guard_s)
        for each in exchange.guard_outcomes:
            self._count_outcome(each)
        if exchange.outcome == "completed":
            self.latency.observe(time.perf_counter() - exchange.started)
            self.overhead.observe(exchange.overhead_s)

    def refused(self, code: str) -> None:
        """Counts a request that was refused before the pipeline."""
        self._count("refused", code)

    def _count_outcome(self, outcome: Outcome) -> None:
        action = outcome.action.name.lower()
        if outcome.error:
            failure = (outcome.guard, outcome.error, action)
            self.guard_failures[failure] = self.guard_failures.get(failure, 0) + 1
        else:
            finding = (outcome.guard, action, outcome.direction.value)
            self.guard_findings[finding] = self.guard_findings.get(finding, 0) + outcome.count

    def _count(self, outcome: str, code: str) -> None:
        kind = (outcome, code)
        self.requests[kind] = self.requests.get(kind, 0) + 1
