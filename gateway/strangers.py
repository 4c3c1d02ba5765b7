"""Counts requests without a valid key, by network and reason, so that each is on record and a flood costs a few rows a
minute (`compliance/actions/tallies.py`), not one a request.

What was counted and not yet handed over is lost when the process is killed: at most a second's.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import structlog

from compliance.networks import OTHERS
from gateway.failed_keys import network_of

EVERY_S = 1.0
MOST = 50
"""Networks and reasons of one second; further ones count together."""

Kind = tuple[str, str]
"""A network and a reason code."""

log = structlog.get_logger("gateway.strangers")


class Strangers:
    """Refusals of those who are nobody, handed to `tell` each second."""

    def __init__(self, tell: Callable[[Mapping[Kind, int]], Awaitable[None]]) -> None:
        self._tell = tell
        self._counts: Counter[Kind] = Counter()
        self._telling = asyncio.Lock()

    def count(self, address: str, *, code: str) -> None:
        kind = (network_of(address) or "unknown", code)
        if kind not in self._counts and len(self._counts) >= MOST:
            kind = (OTHERS, code)
        self._counts[kind] += 1

    async def flush(self) -> None:
        """Hands over what was counted; keeps it where that fails. Returns when others who do so are done as well."""
        async with self._telling:
            if not self._counts:
                return
            counts, self._counts = self._counts, Counter()
            try:
                await self._tell(counts)
            except Exception:
                self._counts.update(counts)
                log.warning("refusals of unknown keys wait to be put on record", requests=counts.total())

    async def run(self) -> None:
        """Flushes each second until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()
