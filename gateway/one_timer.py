"""Something that happens after a while, to many at once: over one timer, as one for each is dear under uvloop."""

import asyncio
from collections.abc import Callable, Hashable
from contextvars import Context
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class OneTimer(Generic[Item]):
    """Calls `due` with each item `seconds` after it was added, unless it is dropped before.

    As all wait for as long, those that were added first are due first. Belongs to one event loop.
    """

    def __init__(self, seconds: float, due: Callable[[Item], None]) -> None:
        self._seconds = seconds
        self._due = due
        self._waiting: dict[Item, float] = {}  # by when they were added; until when
        self._has_timer = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Item) -> None:
        """Begins to wait."""
        loop = asyncio.get_running_loop()
        self._waiting[item] = until = loop.time() + self._seconds
        if not self._has_timer:
            self._set(loop, until)

    def drop(self, item: Item) -> None:
        """Waits no longer; nothing happens to what is not, or no longer, waited for."""
        self._waiting.pop(item, None)

    def _set(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        """Outside of any context: what is due belongs to many requests."""
        self._has_timer = True
        loop.call_at(until, self._pass, loop, context=Context())

    def _pass(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sees to those whose time is over, and waits for the next one."""
        now = loop.time()
        try:
            while self._waiting:
                item, until = next(iter(self._waiting.items()))
                if until > now:
                    break
                del self._waiting[item]
                self._see_to(item, loop)
        finally:
            self._has_timer = False
            if self._waiting:
                self._set(loop, next(iter(self._waiting.values())))

    def _see_to(self, item: Item, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._due(item)
        except Exception as error:  # of one: the others are seen to all the same
            loop.call_exception_handler({"message": "what was due failed", "exception": error})
