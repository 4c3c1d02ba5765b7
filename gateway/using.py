"""Tells the main database when secrets were last used: what a process has noted, every 10 s in one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from accounts.uses import Uses

EVERY_S = 10.0

Keep = Callable[[Mapping[str, float]], Awaitable[int]]


class UseWriter:
    """Brings what `uses` has noted to `keep`. What cannot be written is tried again with the next."""

    def __init__(self, uses: Uses, keep: Keep) -> None:
        self._uses = uses
        self._keep = keep

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        times = self._uses.take()
        if not times:
            return
        try:
            await self._keep(times)
        except BaseException:
            self._uses.give_back(times)
            raise
