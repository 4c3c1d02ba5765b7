"""Limits of time for what every request does, over one timer: one of its own for each is dear under uvloop."""

import asyncio


class Deadlines:
    """Limits of `seconds` each, over one timer: as all are of the same length, those that began first pass first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Deadline, float] = {}  # by when they began; until when
        self._has_timer = False

    def begin(self) -> "Deadline":
        """Cancels the task at hand after `seconds`, unless it is lifted before."""
        loop = asyncio.get_running_loop()
        deadline = Deadline(asyncio.current_task(loop), self._running)
        self._running[deadline] = until = loop.time() + self._seconds
        if not self._has_timer:
            self._has_timer = True
            loop.call_at(until, self._pass, loop)
        return deadline

    def _pass(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends those whose time is over, and waits for the next one."""
        now = loop.time()
        while self._running:
            deadline, until = next(iter(self._running.items()))
            if until > now:
                loop.call_at(until, self._pass, loop)
                return
            del self._running[deadline]
            deadline.cancel()
        self._has_timer = False


class Deadline:
    """One of them."""

    __slots__ = ("_passed", "_running", "_task")

    def __init__(self, task: "asyncio.Task[object] | None", running: "dict[Deadline, float]") -> None:
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
        self._running.pop(self, None)
