"""Work of some size in the event loop: a little at a time, while nobody is served, so that no request waits for it."""

import asyncio
import time
from collections.abc import Callable

TURN_S, LONG_TURN_S = 0.001, 0.004
"""For how long requests wait at most, but for a single piece that takes longer. Shorter turns cost more altogether,
as each begins with cold caches: a content takes 55 µs in turns of 0.1 ms, 20 in those of 0.5 (ADR 33, 36). They are
long while there are no moments without requests, as each of these waits for all others then."""

PAUSE_MOST_S = 0.04
"""How long work waits for a moment in which no request is in hand. On busy processors there are some 30 of them a
second; where there is none, requests are kept waiting no more often than this (ADR 37)."""


class _While:
    """Does one thing at the beginning of a block, and another at its end. One for all blocks, as it is on each path."""

    __slots__ = ("_afterwards", "_first")

    def __init__(self, first: Callable[[], None], afterwards: Callable[[], None]) -> None:
        self._first = first
        self._afterwards = afterwards

    def __enter__(self) -> None:
        self._first()

    def __exit__(self, *error: object) -> None:
        self._afterwards()


class InHand:
    """The requests that the gateway itself is busy with; not those that wait for an upstream.

    `one_more` is for the block that serves a request, `one_less` for what in it waits for somebody else. `len` of it is
    how many there are.
    """

    def __init__(self) -> None:
        self.one_more = _While(self._begin, self._end)
        self.one_less = _While(self._end, self._begin)
        self._count = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    def __len__(self) -> int:
        return self._count

    async def nobody(self, *, within_s: float) -> bool:
        """Waits for a moment without any, but not for longer. Returns whether it has come."""
        await asyncio.sleep(0)
        if self._count <= 0:
            return True
        try:
            async with asyncio.timeout(within_s):
                while self._count > 0:  # the next one may begin before whoever waits is woken
                    await self._nobody.wait()
        except TimeoutError:
            return False
        return True

    def _begin(self) -> None:
        if not self._count:
            self._nobody.clear()
        self._count += 1

    def _end(self) -> None:
        self._count -= 1
        if not self._count:
            self._nobody.set()


class Turns:
    """Of one piece of work: `await turns.give()` whenever `are_over`. There is no pause while `is_hurried`.

    `are_long` tells whether there was no moment without requests when the last turn began.
    """

    def __init__(self, in_hand: InHand, is_hurried: Callable[[], bool] = lambda: False) -> None:
        self._in_hand = in_hand
        self._is_hurried = is_hurried
        self.are_long = False
        self.begin()

    def begin(self) -> None:
        """The turn begins now: to be called after every wait."""
        self._until = time.perf_counter() + (LONG_TURN_S if self.are_long else TURN_S)

    @property
    def are_over(self) -> bool:
        """Whether it is the turn of others."""
        return time.perf_counter() >= self._until

    async def give(self) -> None:
        """Lets others have their turn: those that are served now, until they are done."""
        if self._is_hurried():
            await asyncio.sleep(0)
        else:
            self.are_long = not await self._in_hand.nobody(within_s=PAUSE_MOST_S)
        self.begin()
