"""Collects secrets that are stored under an older pepper, as only here their text is at hand; moved off the request.

Costs a request nothing when its secret is under the current pepper, and one hash when it is not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from accounts import peppers
from accounts.peppers import Rehash
from accounts.tokens import Token
from gateway.principal import Principal

EVERY_S = 5.0
MOST = 10_000
"""Secrets that wait; further ones come again with their next request."""

Move = Callable[[Sequence[Rehash]], Awaitable[int]]

log = structlog.get_logger("gateway.rehashing")


class Rehashing:
    """Secrets that shall move to the current pepper, handed to `move` in batches."""

    def __init__(self, move: Move) -> None:
        self._move = move
        self._current = peppers.current()
        self._waiting: dict[str, Rehash] = {}

    def note(self, token: Token, principal: Principal) -> None:
        """That secret has just proved right."""
        if principal.pepper_version == self._current or len(self._waiting) >= MOST:
            return
        if token.public_id not in self._waiting:
            self._waiting[token.public_id] = peppers.rehash_of(
                token.text, public_id=token.public_id, stored=principal.digest
            )

    async def flush(self) -> None:
        """Hands over what waits; drops it where that fails, as it comes again."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        try:
            await self._move(list(waiting.values()))
        except Exception:
            log.warning("secrets stay under an older pepper for now", secrets=len(waiting))

    async def run(self) -> None:
        """Flushes every few seconds until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()
