"""Clients that leave before they have their answer.

Whether one is still there is asked only of those that wait for long enough to leave: each such question is a task of
its own, and most refusals are over before anybody could hear the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.one_timer import OneTimer

ASKED_AFTER_S = 0.05
"""A client that leaves before is noticed then."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class ClientLeft(Exception):
    """Nobody is there any more to answer."""


class Leaving:
    """Makes watches, which are used in one event loop."""

    def __init__(self, *, asked_after_s: float = ASKED_AFTER_S) -> None:
        self._waiting: OneTimer[Watch] = OneTimer(asked_after_s, lambda watch: watch.ask())

    def watch(self, receive: Receive) -> "Watch":
        """For one request whose body was read, with what tells then that its client has left."""
        return Watch(receive, self._waiting)


class Watch:
    """While inside, a client that leaves cancels the task; outside again, that has become `ClientLeft`."""

    __slots__ = ("_gone", "_receive", "_task", "_waiting")

    def __init__(self, receive: Receive, waiting: "OneTimer[Watch]") -> None:
        self._receive = receive
        self._waiting = waiting
        self._task: asyncio.Task[Any] | None = None
        self._gone: asyncio.Future[Message] | None = None

    def ask(self) -> None:
        """Begins to listen."""
        self._gone = asyncio.ensure_future(self._receive())
        self._gone.add_done_callback(self._cancel)

    def _cancel(self, gone: "asyncio.Future[Message]") -> None:
        if gone.cancelled():
            return
        gone.exception()  # seen: whatever is wrong with its connection, nobody hears the answer
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._waiting.add(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._waiting.drop(self)
        task, self._task = self._task, None  # from here on nothing is cancelled, also if that was about to be
        gone, self._gone = self._gone, None
        if gone is None:
            return
        gone.remove_done_callback(self._cancel)
        if not gone.done():
            gone.cancel()
        elif isinstance(error, asyncio.CancelledError) and task is not None:
            task.uncancel()
            raise ClientLeft from error
