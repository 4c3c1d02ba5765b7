"""Which public ids of keys exist, asked for many at once: however many made-up keys come, they share a few queries.

For keys from networks that have sent too many wrong ones (`failed_keys.py`). A right one among them is found as any
other; what others send costs it no more than the wait for the next query.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway.errors import Unavailable

EVERY_S = 0.05

Find = Callable[[frozenset[str]], Awaitable[frozenset[str]]]


class KnownIds:
    """Asks `find` which of the ids that wait exist: one query at a time, and none within `EVERY_S` of another.

    What waits for a query is bounded by the requests at once.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._waiting: set[str] = set()
        self._next: asyncio.Task[frozenset[str]] | None = None
        self._turn = asyncio.Lock()
        self._asked_at = float("-inf")

    async def has(self, public_id: str) -> bool:
        """Whether there is a key with that public id, as of now.

        Raises:
            Unavailable: policy cannot be read.
        """
        self._waiting.add(public_id)
        if self._next is None:
            self._next = asyncio.create_task(self._ask())
        try:
            # Shielded: a client that leaves does not end the query for the others.
            return public_id in await asyncio.shield(self._next)
        except Exception as error:
            raise Unavailable("The gateway cannot read its policy right now. Retry in a moment.") from error

    async def _ask(self) -> frozenset[str]:
        async with self._turn:
            await asyncio.sleep(max(self._asked_at + EVERY_S - time.monotonic(), 0.0))
            asked, self._waiting, self._next = frozenset(self._waiting), set(), None
            self._asked_at = time.monotonic()
            return await self._find(asked)
