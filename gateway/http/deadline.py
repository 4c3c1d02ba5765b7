"""A limit of time, for where each microsecond is paid by every request: asyncio's own costs several times as much."""

import asyncio


class Deadline:
    """Cancels the task that makes it after `seconds`, unless it is lifted before."""

    __slots__ = ("_handle", "_passed", "_task")

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._passed = False
        self._handle = loop.call_later(seconds, self._pass)

    def _pass(self) -> None:
        self._passed = True
        assert self._task is not None
        self._task.cancel()

    def has_cancelled(self) -> bool:
        """Whether the cancellation at hand is its own, and nobody else's as well; then it is taken back."""
        return self._passed and self._task is not None and self._task.uncancel() == 0

    def lift(self) -> None:
        self._handle.cancel()
