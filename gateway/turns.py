"""Work of some size in the event loop, a little at a time, so that no request waits for all of it."""

import asyncio
import time
from collections.abc import Callable

TURN_S = 0.001
"""For how long requests wait at most, but for a single piece that takes longer. Shorter turns cost more altogether,
as each begins with cold caches: a content takes 55 µs in turns of 0.1 ms, 20 in those of 0.5 (ADR 33, 36)."""

PAUSE_S = 0.008
"""For how long requests have the loop, and the processors, to themselves then. One that met a turn is answered before
the next begins: it meets one turn, and not one at each step."""


class Turns:
    """Of one piece of work: `await turns.give()` whenever `are_over`. There is no pause while `is_hurried`."""

    def __init__(self, is_hurried: Callable[[], bool] = lambda: False) -> None:
        self._is_hurried = is_hurried
        self.begin()

    def begin(self) -> None:
        """The turn begins now: to be called after every wait."""
        self._until = time.perf_counter() + TURN_S

    @property
    def are_over(self) -> bool:
        """Whether it is the turn of others."""
        return time.perf_counter() >= self._until

    @property
    def are_hurried(self) -> bool:
        """Whether there is no time for pauses."""
        return self._is_hurried()

    async def give(self) -> None:
        """Lets others have their turn."""
        await asyncio.sleep(0 if self.are_hurried else PAUSE_S)
        self.begin()
