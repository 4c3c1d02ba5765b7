"""The writer of transcripts: encrypts what requests leave, and stores it in batches, after their answers went out.

One batch is under way at a time. Of each it asks first what may be stored, so that nothing else is encrypted; the
INSERT decides all the same. Content that cannot be stored is dropped; the decision about it waits until it is recorded.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

import psycopg
import structlog

from compliance.keyring.store import DataKey
from gateway import sealing, storing
from gateway.batches import RETRY_S, Caller, Params
from gateway.content import Content
from gateway.storing import Person, Wish
from gateway.turns import Turns

BATCH_MOST = 1_000
BATCH_BYTES = 4 * 2**20
GATHERED_S = 1.0
"""How long a batch gathers: the fewer there are, the less each of its items costs."""

REST_MS = 4
"""How long the database rests after each 32 rows of a batch, so that it is not in the way of requests (ADR 37). Storing
1,000 takes it some 0.4 s then, for which somebody waits who withdraws or is erased meanwhile."""

PATIENCE_S = 30.0
"""How long content waits for a database that does not answer."""

KEYS_WITHIN_S = 5.0
DECISIONS_MOST = 200_000
"""Beyond it, the database has not answered for hours."""

_LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.UndefinedFunction, OSError)
"""What may be different in a moment: also a database that is not migrated yet, or was taken back."""

Keys = Callable[[Collection[Person]], Awaitable[Mapping[Person, DataKey]]]

log = structlog.get_logger("gateway.transcripts")


class Transcripts:
    """`start` it in the event loop that uses it; `close` stores what is left.

    At most `most` contents of `most_bytes` together wait. `decisions` counts what was decided, by reason, '' for what
    was stored; `lost` are decisions that could not be put on record.
    """

    def __init__(self, main: Params, *, keys: Keys, most: int, most_bytes: int, patience_s: float = PATIENCE_S) -> None:
        self._main = Caller(main, storing.do)
        self._keys = keys
        self._most = most
        self._most_bytes = most_bytes
        self._patience_s = patience_s
        self._waiting: deque[Content] = deque()
        self._contents = 0
        self._under_way = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.queued_bytes = 0
        self.lost = 0
        self.decisions: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def lag_s(self) -> float:
        """Since the oldest of what waits was handed over."""
        return time.perf_counter() - self._waiting[0].handed_at if self._waiting else 0.0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, *, within_s: float = 10.0) -> None:
        """Stores what waits, for at most `within_s`."""
        self._closing = True
        self._full.set()
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            left = self._under_way + len(self._waiting)
            self.lost += left
            log.error("content was left behind", count=left)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._main.disconnect()

    def hand_over(self, content: Content) -> None:
        """Takes what a request left. Where there is no room for content, only the decision is kept."""
        if len(self._waiting) >= DECISIONS_MOST:
            self.lost += 1
            return
        has_room = self._contents < self._most and self.queued_bytes + content.size <= self._most_bytes
        if content.is_there and not has_room:
            content.drop("behind")
        if content.is_there:
            self._contents += 1
            self.queued_bytes += content.size
        if not self._waiting:
            self._idle.clear()
            self._arrived.set()
        self._waiting.append(content)
        if len(self._waiting) >= BATCH_MOST or self.queued_bytes >= BATCH_BYTES:
            self._full.set()

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._arrived.clear()
                self._idle.set()
                await self._arrived.wait()
            await self._gathered()
            batch = self._taken()
            self._under_way = len(batch)
            await self._deliver(batch)
            self._under_way = 0

    async def _gathered(self) -> None:
        try:
            async with asyncio.timeout(GATHERED_S):
                await self._full.wait()
        except TimeoutError:
            return
        if not self._closing:
            self._full.clear()

    def _taken(self) -> list[Content]:
        """The next batch. Its bytes are counted as waiting until it is stored."""
        batch: list[Content] = []
        size = 0
        while self._waiting and len(batch) < BATCH_MOST and size < BATCH_BYTES:
            content = self._waiting.popleft()
            batch.append(content)
            size += content.size if content.is_there else 0
        if len(self._waiting) >= BATCH_MOST:
            self._full.set()
        return batch

    async def _deliver(self, batch: list[Content]) -> None:
        """Tries until it is done. In the end content gives way, but not the decision about it."""
        while True:
            try:
                await self._put(batch)
                break
            except _LOST as error:
                log.warning("content cannot be stored", error=type(error).__name__, count=len(batch))
                self._give_up(batch)
                await asyncio.sleep(RETRY_S)
            except Exception as error:
                log.error("content was not accepted", error=type(error).__name__, count=len(batch))
                await self._one_by_one(batch)
                break
        self._let_go(batch)

    def _let_go(self, batch: Iterable[Content]) -> None:
        """Of what need not wait any more; the bytes go with the batch."""
        there = [content for content in batch if content.is_there]
        self._contents -= len(there)
        self.queued_bytes -= sum([content.size for content in there])
        for content in there:
            content.body = None

    def _give_up(self, batch: list[Content]) -> None:
        """On content that has waited for too long."""
        now = time.perf_counter()
        for content in batch:
            if content.is_there and now - content.handed_at > self._patience_s:
                self._drop(content, "unavailable")

    async def _one_by_one(self, batch: list[Content]) -> None:
        """What cannot be stored must not take its whole batch with it: each goes alone, and at last without content."""
        if len(batch) > 1:
            for content in batch:
                await self._deliver([content])
        elif batch[0].is_there:
            self._drop(batch[0], "failed")
            await self._deliver(batch)
        else:
            self.lost += 1

    def _drop_all(self, contents: Iterable[Content], reason: str) -> None:
        for content in contents:
            self._drop(content, reason)

    def _drop(self, content: Content, reason: str) -> None:
        if content.is_there:
            self._contents -= 1
            self.queued_bytes -= content.size
            content.drop(reason)

    def _is_hurried(self) -> bool:
        """Whether there is no time for pauses: at the end, and long before anything is left out for want of room."""
        return (
            self._closing
            or len(self._waiting) >= BATCH_MOST
            or self._contents >= self._most // 2
            or self.queued_bytes >= min(2 * BATCH_BYTES, self._most_bytes // 2)
        )

    async def _put(self, batch: list[Content]) -> None:
        turns = Turns(is_hurried=self._is_hurried)
        sealed = await self._sealed(batch, turns)
        await turns.give()
        told = await storing.told(batch, turns)
        await turns.give()
        rest_ms = 0 if turns.are_hurried else REST_MS
        (counts,) = await self._main([lambda cursor: storing.store(cursor, told, sealed, rest_ms=rest_ms)])
        for reason, count in counts:
            self.decisions[reason] += count

    async def _sealed(self, batch: list[Content], turns: Turns) -> bytes:
        """The encrypted content of those who allow it; says of each where it is, or why there is none."""
        wishes: defaultdict[Wish, list[Content]] = defaultdict(list)
        for content in batch:
            if content.is_there:
                wishes[_wish(content)].append(content)
        if not wishes:
            return b""
        allowed = await self._allowed(wishes)
        await turns.give()
        keys = await self._keys_of({wish[:2] for wish in allowed})
        await turns.give()
        for wish in [wish for wish in allowed if wish[:2] not in keys]:
            self._drop_all(allowed.pop(wish), "key_unavailable")
        return await sealing.together([(wish, keys[wish[:2]], contents) for wish, contents in allowed.items()], turns)

    async def _allowed(self, wishes: Mapping[Wish, list[Content]]) -> dict[Wish, list[Content]]:
        (reasons,) = await self._main([lambda cursor: storing.refusals(cursor, list(wishes))])
        for wish, reason in zip(wishes, reasons, strict=True):
            if reason:
                self._drop_all(wishes[wish], reason)
        return {wish: wishes[wish] for wish, reason in zip(wishes, reasons, strict=True) if not reason}

    async def _keys_of(self, people: set[Person]) -> Mapping[Person, DataKey]:
        """None where they do not answer: what is handed over meanwhile must not wait for them."""
        if not people:
            return {}
        try:
            async with asyncio.timeout(KEYS_WITHIN_S):
                return await self._keys(people)
        except Exception as error:
            log.warning("keys cannot be read", error=type(error).__name__, count=len(people))
            return {}


def _wish(content: Content) -> Wish:
    return content.principal.tenant_id, content.surrogate, content.terms.purpose, content.terms.redacted
