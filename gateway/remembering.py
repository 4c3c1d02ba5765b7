"""Keeps what placeholders stand for beyond their request, and finds it again, where a guard policy says for how long.

Writing happens in batches, after the answers went out, and what cannot be written is dropped: then a later request sees
a placeholder where it might have seen a value, and nothing else goes wrong. Reading is only done for requests that hold
placeholders of their own conversation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

from gateway.content import Person
from gateway.guards.placeholders import Given, Placeholders
from gateway.placeholder_rows import Keep

EVERY_S = 0.5
MOST = 20_000
"""Values that wait to be written; further ones are dropped."""

BATCH_MOST = 1_000
WITHIN_S = 2.0
"""How long a request waits for what earlier ones gave."""

CODES_MOST = 500
"""Of one request; nobody has that many placeholders in a conversation by chance."""

Remember = Callable[[Collection[Keep]], Awaitable[int]]
Recall = Callable[[Person, Collection[str]], Awaitable[list[Given]]]

log = structlog.get_logger("gateway.placeholders")


class Remembering:
    """What waits in this process. `lost` counts values that were not kept although they should have been."""

    def __init__(self, *, remember: Remember, recall: Recall) -> None:
        self._remember = remember
        self._recall = recall
        self._waiting: dict[tuple[Person, str], Keep] = {}
        self._writing = asyncio.Lock()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, person: Person, placeholders: Placeholders, *, seconds: int) -> None:
        """Has what was given for the first time kept for that long. Does not wait."""
        for given in placeholders.fresh:
            if len(self._waiting) >= MOST:
                self.lost += 1
            else:
                self._waiting[(person, given.code)] = Keep(person, seconds, given)

    async def recall(self, person: Person, codes: Collection[str], placeholders: Placeholders) -> int:
        """Takes what earlier requests of this person gave under those codes into `placeholders`; returns how many.

        Where it cannot be read they stay what they are, placeholders.
        """
        try:
            async with asyncio.timeout(WITHIN_S):
                if self._waiting or self._writing.locked():
                    await self.flush()  # the request before may have been answered just now
                found = await self._recall(person, sorted(codes)[:CODES_MOST])
        except Exception as error:
            log.warning("placeholders cannot be read", tenant_id=person[0], error=type(error).__name__)
            return 0
        return sum(placeholders.recall(given) for given in found)

    async def flush(self) -> None:
        """Writes what waits; drops what is not accepted."""
        async with self._writing:
            while self._waiting:
                batch = dict(list(self._waiting.items())[:BATCH_MOST])
                for key in batch:
                    del self._waiting[key]
                try:
                    await self._remember(list(batch.values()))
                except Exception as error:
                    self.lost += len(batch)
                    log.warning("placeholders cannot be kept", count=len(batch), error=type(error).__name__)

    async def run(self) -> None:
        """Flushes all the time until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()
