"""Remembers the requests the sandbox got and how each ended, so that a test can ask what reached it."""

import asyncio
import time
import uuid
from collections import Counter, deque
from typing import Literal

import msgspec

State = Literal["running", "completed", "cancelled", "failed"]
ENDED: tuple[State, ...] = ("completed", "cancelled", "failed")

REMEMBERED = 1000


class RequestRecord(msgspec.Struct):
    """One request. `completed`: the answer was handed over whole; `cancelled`: the client left before that;
    `failed`: an error was answered or a fault was played. A whole answer counts as one chunk."""

    id: str
    authorization_present: bool
    started_at: float
    model: str | None = None
    state: State = "running"
    chunks_sent: int = 0
    tokens_sent: int = 0
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    def sent(self, tokens: int) -> None:
        self.chunks_sent += 1
        self.tokens_sent += tokens


class Journal:
    """The last requests, and counts over all of them since the journal was last cleared."""

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=REMEMBERED)
        self._running = 0
        self._ended: Counter[State] = Counter()
        self._waiters: set[asyncio.Future[None]] = set()
        self._process = uuid.uuid4().hex[:12]
        self._opened = 0

    def open(self, *, authorization_present: bool) -> RequestRecord:
        self._opened += 1
        record = RequestRecord(
            id=f"chatcmpl-{self._process}{self._opened:08d}",
            authorization_present=authorization_present,
            started_at=time.time(),
        )
        self._records.append(record)
        self._running += 1
        self._wake()
        return record

    def end(self, record: RequestRecord, state: State) -> None:
        """Set how a request ended. What was said first stands."""
        if record.state != "running":
            return
        record.state = state
        self._running -= 1
        self._ended[state] += 1
        self._wake()

    def records(self) -> list[RequestRecord]:
        """Return the remembered requests, oldest first."""
        return list(self._records)

    def stats(self) -> dict[str, int]:
        return {"running": self._running} | {state: self._ended[state] for state in ENDED}

    def clear(self) -> None:
        """Forget the requests that have ended. Those that run stay, so that their end is still seen."""
        running = [record for record in self._records if record.state == "running"]
        self._records = deque(running, maxlen=REMEMBERED)
        self._ended.clear()

    async def wait_for_running(self, count: int, *, timeout_s: float) -> None:
        """Return when exactly `count` requests run, or when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._running != count:
                    await self._next_change()
        except TimeoutError:
            return

    async def _next_change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
