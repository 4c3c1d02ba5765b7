"""Spares an upstream that fails, and those who would wait for it: after some failures in a row nobody asks it for a
while, and then one alone tries."""

import time
from collections.abc import Callable

FAILURES_MOST = 5
REST_S = 10.0
TRIAL_MOST_S = 60.0
"""A trial of which nothing was heard by then is given up."""


class Circuit:
    """Of one upstream. Times are those of `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0

    def allows(self) -> bool:
        """Whether it may be asked now. Who is told so reports `succeeded` or `failed` afterwards."""
        if self._failures < FAILURES_MOST:
            return True
        if self._clock() < self._closed_until:
            return False
        self._closed_until = self._clock() + TRIAL_MOST_S  # this one tries, and the others wait for what comes of it
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_MOST:
            self._closed_until = self._clock() + REST_S

    def undecided(self) -> None:
        """Who asked has left without knowing: the next one may try."""
        if self._failures >= FAILURES_MOST:
            self._closed_until = self._clock()
