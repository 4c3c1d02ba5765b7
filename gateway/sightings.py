"""Notes keys of this installation that go through it, in a prompt or an answer: whoever else reads those has them now.

In requests it costs one search for four bytes. What is found waits in memory, for a second and bounded, until a thread
has looked whether the key exists; `gateway/actions/leaks.py` does the rest, in the control plane.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from gateway.leaks import finding
from gateway.leaks.finding import PREFIX, Sighting

EVERY_S = 1.0
MOST = 1000
"""Sightings that wait; further ones are dropped, and come again with the next request."""
SOURCE = "traffic"
_PREFIX = PREFIX.decode()

Note = Callable[[Sequence[Sighting]], Awaitable[int]]

log = structlog.get_logger("gateway.sightings")


class Sightings:
    """What was seen in this process, handed to `note` each second."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._seen: dict[tuple[str, str], Sighting] = {}

    def look(self, data: bytes, *, place: str, request_id: str) -> None:
        """Looks into a body. It is nothing but a search where there is nothing."""
        if finding.may_hold_one(data):
            self._keep(data, place, request_id)

    def look_at_text(self, text: str, *, place: str, request_id: str) -> None:
        """Looks into the text of a stream, its pieces together: a key seldom comes in one."""
        if "_" in text and _PREFIX in text:
            self._keep(text.encode("utf-8", "replace"), place, request_id)

    def _keep(self, data: bytes, place: str, request_id: str) -> None:
        for text in finding.keys_in(data):
            if len(self._seen) < MOST:
                sighting = Sighting(text=text, source=SOURCE, place=place, request_id=request_id)
                self._seen.setdefault((text, place), sighting)

    async def flush(self) -> None:
        """Hands over what was seen; keeps it where that fails."""
        if not self._seen:
            return
        seen, self._seen = self._seen, {}
        try:
            await self._note(list(seen.values()))
        except Exception:
            self._seen = {**seen, **self._seen}
            log.warning("keys that were seen wait to be noted", keys=len(self._seen))

    async def run(self) -> None:
        """Flushes each second until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()
