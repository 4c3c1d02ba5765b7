"""Waits for what others do, but not for long."""

import asyncio
from typing import Any

from gateway.one_timer import OneTimer


class Patience:
    """Waits of at most `seconds` each. Belongs to one event loop."""

    def __init__(self, seconds: float) -> None:
        self._waiting: OneTimer[asyncio.Future[None]] = OneTimer(seconds, _wake)

    async def wait(self, future: "asyncio.Future[Any]") -> None:
        """Until `future` is done, however it ended; it is left alone where that takes too long."""
        if future.done():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake(_done: "asyncio.Future[Any]") -> None:
            _wake(waiter)

        future.add_done_callback(wake)
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            future.remove_done_callback(wake)
            self._waiting.drop(waiter)


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
