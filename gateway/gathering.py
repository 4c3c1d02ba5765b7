"""Asks for many at once: what comes while a call is under way makes up the next one.

So nothing waits for a timer, there is one call at a time, and whoever asks gets an answer from after they asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Gathering(Generic[Item, Answer]):
    """Hands at most `most` items at a time to `call`. What waits is bounded by the requests at once."""

    def __init__(
        self, call: Callable[[tuple[Item, ...]], Awaitable[Mapping[Item, Answer]]], *, most: int = 256
    ) -> None:
        self._call = call
        self._most = most
        self._waiting: dict[Item, asyncio.Future[Answer]] = {}
        self._calling: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Answer:
        """The answer for `item`; those who ask for the same one in the same call share it.

        Raises:
            LookupError: the call had no answer for it.
            Exception: whatever the call raised.
        """
        # Shielded: a client that leaves does not take the answer from the others.
        return await asyncio.shield(self._future(item))

    def mention(self, item: Item) -> None:
        """Has it asked for, with nobody waiting for the answer."""
        self._future(item).add_done_callback(lambda future: future.exception())

    def _future(self, item: Item) -> "asyncio.Future[Answer]":
        future = self._waiting.get(item)
        if future is None:
            future = self._waiting[item] = asyncio.get_running_loop().create_future()
            if self._calling is None:
                self._calling = asyncio.create_task(self._run())
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                items = tuple(islice(self._waiting, self._most))
                await self._deliver({item: self._waiting.pop(item) for item in items})
        finally:
            self._calling = None

    async def _deliver(self, asked: "dict[Item, asyncio.Future[Answer]]") -> None:
        try:
            answers = await self._call(tuple(asked))
        except Exception as error:
            for future in asked.values():
                future.set_exception(error)
            return
        for item, future in asked.items():
            if item in answers:
                future.set_result(answers[item])
            else:
                future.set_exception(LookupError("no answer"))
