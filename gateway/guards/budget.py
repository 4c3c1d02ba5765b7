"""How long guards may take: processor time, looked at between them, and an alarm against one that does not come back.

The alarm is an interval timer whose handler raises in the main thread, where requests are served; it goes from the
first request on, until there has been none for a second. In other threads, and where somebody else's handler cannot
be replaced, only what is looked at between guards holds.
"""

import atexit
import signal
import threading
import time
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import TypeVar

_T = TypeVar("_T")

_PATIENCE = 3
"""After so many times the budget an alarm ends a guard that uses no processor time, as one that waits."""

_SHORTEST_S = 0.01

_EVERY_S = 0.01
"""How often it is looked whether guards have had their time."""

_IDLE_MOST = 100
"""After so many times in which nothing was guarded the timer stops."""

_handler: Callable[[int], object] = import_module("_signal").getsignal
"""`signal.getsignal` as the interpreter has it, which does not look for a name for what it gives."""


class OutOfTime(BaseException):
    """Guards took longer than their policy allows. No `Exception`, which a guard might catch."""


class Budget:
    """Processor time of all guards of one request and direction, in milliseconds."""

    __slots__ = ("_armed", "_began_ns", "_half_ns", "_left_ns", "_since_ns")

    def __init__(self, budget_ms: int) -> None:
        self._left_ns = budget_ms * 1_000_000
        self._half_ns = self._left_ns // 2
        self._began_ns = 0  # of the processor time
        self._since_ns = 0  # of the clock
        self._armed = False

    def check(self) -> None:
        """To be called between guards, in what `within` calls.

        Raises:
            OutOfTime: if nothing is left.
        """
        if self._used_ns() >= self._left_ns:
            raise OutOfTime

    @property
    def is_half_gone(self) -> bool:
        """Whether what may as well be left out should leave the rest to others. To be asked in what `within` calls."""
        return self._left_ns - self._used_ns() < self._half_ns

    def _used_ns(self) -> int:
        """At most so much since `within` began. It asks for processor time, a call of the system, only where the clock
        says that it could matter."""
        wall_ns = time.perf_counter_ns() - self._since_ns
        return wall_ns if self._left_ns - wall_ns > self._half_ns else time.thread_time_ns() - self._began_ns

    def within(self, work: Callable[[], _T], *, free_ns: int = 0) -> _T:
        """Does the work, and counts its time beyond `free_ns`. Inside of itself it only does it.

        Raises:
            OutOfTime: if nothing was left before, or as soon as nothing is left.
        """
        if self._armed:
            return work()
        if self._left_ns <= 0:
            raise OutOfTime
        was_left, self._left_ns = self._left_ns, self._left_ns + free_ns
        self._armed, self._began_ns, self._since_ns = True, time.thread_time_ns(), time.perf_counter_ns()
        try:
            if threading.get_ident() != threading.main_thread().ident:
                return work()
            return _alarmed(self._left_ns, self._began_ns, work)
        except OutOfTime:
            self._left_ns = 0  # also where no processor time was used: nobody waits for another guard then
            raise
        finally:
            self._armed = False
            self._left_ns = min(was_left, self._left_ns - (time.thread_time_ns() - self._began_ns))


class _Alarm:
    """What the handler knows: there is one main thread, so there is one."""

    armed = False
    left_ns = 0
    began_ns = 0
    rings = 0  # since it was last armed
    rings_most = 0.0


_Was = tuple[Callable[..., object], float, float]


def _alarmed(left_ns: int, began_ns: int, work: Callable[[], _T]) -> _T:
    """Once more around it, should the alarm ring while it is being put away."""
    was = _set(left_ns, began_ns)
    try:
        try:
            _Alarm.armed = True
            return work()
        finally:
            _put_away(was)
    except OutOfTime:
        _put_away(was)
        raise


def _set(left_ns: int, began_ns: int) -> _Was | None:
    """Makes ready to be armed. A timer that goes is left alone, as to set one costs more than most guards. Where
    somebody else has a handler, gives whose it is, when their timer would have rung, and how often."""
    _Alarm.left_ns, _Alarm.began_ns, _Alarm.rings = left_ns, began_ns, 0
    _Alarm.rings_most = _PATIENCE * max(left_ns / 1e9, _SHORTEST_S) / _EVERY_S
    handler = _handler(signal.SIGALRM)
    if handler is _ring:
        if signal.getitimer(signal.ITIMER_REAL)[1] == 0.0:
            signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)
        return None
    signal.signal(signal.SIGALRM, _ring)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)
    return (handler, time.monotonic() + remaining if remaining else 0.0, interval) if callable(handler) else None


@atexit.register
def _stop() -> None:
    """An interpreter that ends has no handlers any more, and would be killed."""
    signal.setitimer(signal.ITIMER_REAL, 0.0)


def _put_away(was: _Was | None) -> None:
    """Gives a handler of somebody else its timer back. Ours goes on for a while, and rings for nobody."""
    _Alarm.armed = False
    if was is None:
        return
    handler, due, interval = was
    _stop()
    signal.signal(signal.SIGALRM, handler)
    if due:
        signal.setitimer(signal.ITIMER_REAL, max(due - time.monotonic(), 1e-6), interval)


def _ring(number: int, frame: FrameType | None) -> None:
    """Raises in whatever runs, unless it only waited for the processor: a process that does not run hears no rings.
    Stops the timer that nobody has needed."""
    _Alarm.rings += 1
    if not _Alarm.armed:
        if _Alarm.rings >= _IDLE_MOST:
            _stop()
    elif time.thread_time_ns() - _Alarm.began_ns >= _Alarm.left_ns or _Alarm.rings >= _Alarm.rings_most:
        raise OutOfTime
