"""Waits for what others do, but not for long: over one timer, as one for each wait is dear under uvloop."""

import asyncio
from typing import Any


class Patience:
    """Waits of at most `seconds` each. As all are of the same length, those that began first end first.

    Belongs to one event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Future[None], float] = {}  # by when they began; until when
        self._has_timer = False

    async def wait(self, future: "asyncio.Future[Any]") -> None:
        """Until `future` is done, however it ended; it is left alone where that takes too long."""
        if future.done():
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake(_done: "asyncio.Future[Any]") -> None:
            if not waiter.done():
                waiter.set_result(None)

        future.add_done_callback(wake)
        self._waiting[waiter] = until = loop.time() + self._seconds
        if not self._has_timer:
            self._has_timer = True
            loop.call_at(until, self._pass, loop)
        try:
            await waiter
        finally:
            future.remove_done_callback(wake)
            self._waiting.pop(waiter, None)

    def _pass(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends those whose time is over, and waits for the next one."""
        now = loop.time()
        while self._waiting:
            waiter, until = next(iter(self._waiting.items()))
            if until > now:
                loop.call_at(until, self._pass, loop)
                return
            del self._waiting[waiter]
            if not waiter.done():
                waiter.set_result(None)
        self._has_timer = False
