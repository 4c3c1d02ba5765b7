"""Limits of time for what every request does."""

import asyncio

from gateway.one_timer import OneTimer


class Deadlines:
    """Limits of `seconds` each."""

    def __init__(self, seconds: float) -> None:
        self._running: OneTimer[Deadline] = OneTimer(seconds, lambda deadline: deadline.cancel())

    def begin(self) -> "Deadline":
        """Cancels the task at hand after `seconds`, unless it is lifted before."""
        deadline = Deadline(asyncio.current_task(), self._running)
        self._running.add(deadline)
        return deadline


class Deadline:
    """One of them."""

    __slots__ = ("_passed", "_running", "_task")

    def __init__(self, task: "asyncio.Task[object] | None", running: "OneTimer[Deadline]") -> None:
        self._task = task
        self._running = running
        self._passed = False

    def cancel(self) -> None:
        self._passed = True
        assert self._task is not None
        self._task.cancel()

    def has_cancelled(self) -> bool:
        """Whether the cancellation at hand is its own, and nobody else's as well; then it is taken back."""
        return self._passed and self._task is not None and self._task.uncancel() == 0

    def lift(self) -> None:
        self._running.drop(self)
