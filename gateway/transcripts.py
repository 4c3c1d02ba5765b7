"""The writer of transcripts: encrypts what requests leave, and stores it, after their answers went out.

One batch is under way at a time. Of each it asks first what may be stored, so that nothing else is encrypted; then it
encrypts and stores a part of it after the other, each in a transaction of its own, while the next batch gathers. The
INSERT decides all the same. Content that cannot be stored is dropped; the decision about it waits until it is recorded.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from operator import attrgetter

import psycopg
import structlog

from compliance.errors import DecryptionFailed
from compliance.keyring.store import WrappedKey
from gateway import sealing, storing
from gateway.batches import RETRY_S, Caller, Params
from gateway.content import Content, Wish
from gateway.granted import Granted
from gateway.turns import InHand, Turns

BATCH_MOST = 1_000
BATCH_BYTES = 4 * 2**20
GATHERED_S = 1.0
"""How long the oldest of a batch has waited when it is taken, also while another was stored: the fewer batches there
are, the less each of their items costs."""

SPREAD_S = 0.7
"""The parts of a batch are spread over so long, as what comes at once keeps requests waiting (ADR 37). Less than what
a batch gathers for, so that the writer keeps up."""

ASKED_MOST = 128
"""Of how many people it is asked at a time whether something may be stored."""

PARTS, BUSY_PARTS = 4, 2
PART_LEAST = 64
PART_BYTES = 512 * 2**10
"""A batch is stored in so many parts; in fewer where fewer than `PART_LEAST` contents were in each, in more where more
bytes were. Requests that are served meanwhile wait for one part at most, and so does whoever withdraws or is erased
(ADR 37). Each costs about as much as 50 contents."""

PATIENCE_S, PATIENCE_AT_THE_END_S = 30.0, 5.0
"""How long content waits for a database that does not answer, or for a person's lock; and once the gateway ends, as the
decisions are to be on record before."""

KEYS_WITHIN_S = 5.0
DECISIONS_MOST = 200_000
"""Beyond it, the database has not answered for hours."""

_LOST = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    OSError,
)
"""What may be different in a moment: also a database that is not migrated yet, was taken back, or only can be read,
as one is that another has taken the place of."""

_WAITED = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled)
"""Somebody else had it locked."""

Keys = Callable[[Collection[Wish]], Awaitable[Mapping[Wish, WrappedKey]]]

log = structlog.get_logger("gateway.transcripts")


class Transcripts:
    """`start` it in the event loop that uses it; `close` stores what is left.

    At most `most` contents of `most_bytes` together wait or are under way. `decisions` counts what was decided, by
    reason, '' for what was stored; `lost` are decisions that could not be put on record.
    """

    def __init__(
        self,
        main: Params,
        *,
        keys: Keys,
        most: int,
        most_bytes: int,
        in_hand: InHand,
        granted: Granted,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._main = Caller(main, storing.do)
        self._turns = Turns(in_hand, is_hurried=self._is_hurried)
        self._keys = keys
        self._most = most
        self._most_bytes = most_bytes
        self._patience_s = patience_s
        self._waiting: deque[Content] = deque()
        self._aside: deque[Content] = deque()
        self._again: list[Content] = []
        self._granted = granted
        self._contents = 0
        self._waiting_bytes = 0
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
            left = self._under_way + len(self._aside) + len(self._waiting)
            self.lost += left
            log.error("content was left behind", count=left)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._idle.set()  # nothing is left behind twice
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
            self._waiting_bytes += content.size
            self.queued_bytes += content.size
        if not self._waiting:
            self._idle.clear()
            self._arrived.set()
        self._waiting.append(content)
        if self._has_a_batch:
            self._full.set()

    @property
    def _has_a_batch(self) -> bool:
        return len(self._waiting) >= BATCH_MOST or self._waiting_bytes >= BATCH_BYTES

    async def _run(self) -> None:
        while True:
            if not self._waiting and not self._aside:
                self._arrived.clear()
                self._idle.set()
                await self._arrived.wait()
            await self._until_full(within_s=GATHERED_S - self.lag_s)
            await self._turns.give()
            parts = self._next()
            self._under_way = sum(map(len, parts))
            await self._deliver(parts)

    async def _until_full(self, *, within_s: float) -> None:
        """Waits until the next batch is there or the end has come, but not for longer."""
        try:
            async with asyncio.timeout(within_s):
                await self._full.wait()
        except TimeoutError:
            return

    def _next(self) -> deque[list[Content]]:
        """The parts of the next batch. Last comes what was set aside, with what the same people have said since."""
        people = {content.wish[:2] for content in self._aside}
        batch: list[Content] = []
        for content in self._taken():
            waits_too = people and content.is_there and content.wish[:2] in people
            (self._aside if waits_too else batch).append(content)
        parts, room = _parts(batch, BUSY_PARTS if self._turns.are_long else PARTS), PART_BYTES
        self._again = []
        while self._aside and room > 0:
            self._again.append(self._aside.popleft())
            room -= self._again[-1].size
        if self._again:
            parts.append(self._again)
        return parts

    def _taken(self) -> list[Content]:
        """The next batch."""
        batch: list[Content] = []
        size = 0
        while self._waiting and len(batch) < BATCH_MOST and size < BATCH_BYTES:
            content = self._waiting.popleft()
            content.make_wish()
            batch.append(content)
            size += content.size if content.is_there else 0
        self._waiting_bytes -= size
        if not self._has_a_batch and not self._closing:
            self._full.clear()
        return batch

    async def _deliver(self, parts: deque[list[Content]]) -> None:
        """Tries until it is done. In the end content gives way, but not the decision about it.

        A part that cannot be stored now goes last, so that what breaks it does not hold up the others.
        """
        while parts:
            try:
                await self._put(parts)
            except _LOST as error:
                log.warning("content cannot be stored", error=type(error).__name__, count=sum(map(len, parts)))
                part = parts.popleft()
                self._give_up(part)
                if isinstance(error, _WAITED):
                    self._put_off(part, parts)
                else:
                    parts.append(part)
                await self._main.disconnect()  # the next may lead to a server that takes it
                await asyncio.sleep(RETRY_S)
            except Exception as error:
                part = parts.popleft()
                log.error("content was not accepted", error=type(error).__name__, count=len(part))
                await self._one_by_one(part)

    def _put_off(self, part: list[Content], parts: deque[list[Content]]) -> None:
        """What waited for somebody's lock is tried in halves, until it is of one person: that is set aside, as nobody
        else is to lose anything by it. Of those whose content gave way the decision can be put on record now."""
        there = [content for content in part if content.is_there]
        if len(there) < len(part):
            parts.append([content for content in part if not content.is_there])
        people = [list(own) for _, own in groupby(there, attrgetter("wish"))]
        if part is self._again or len(people) == 1:
            self._aside.extend(there)
            self._under_way -= len(there)
        elif people:
            middle = len(people) // 2
            parts.extend(list(chain.from_iterable(half)) for half in (people[:middle], people[middle:]))

    def _count(self, decisions: Iterable[tuple[str, int]], part: Iterable[Content]) -> None:
        counts = dict(decisions)
        self.decisions.update(counts)
        if counts.get("", 0) < sum([content.is_there for content in part]):
            self._granted.forget()  # the INSERT objected to somebody

    def _let_go(self, part: Collection[Content]) -> None:
        """Of what is done."""
        self._under_way -= len(part)
        for content in part:
            if content.is_there:
                self._contents -= 1
                self.queued_bytes -= content.size
                content.let_go()

    def _give_up(self, part: Iterable[Content]) -> None:
        """On content that has waited for too long."""
        now = time.perf_counter()
        patience_s = min(self._patience_s, PATIENCE_AT_THE_END_S) if self._closing else self._patience_s
        for content in part:
            if content.is_there and now - content.handed_at > patience_s:
                self._drop(content, "unavailable")

    async def _one_by_one(self, part: list[Content]) -> None:
        """What cannot be stored must not take others with it: each goes alone, and at last without content."""
        if len(part) > 1:
            for content in part:
                await self._deliver(deque([[content]]))
        elif part[0].is_there:
            self._drop(part[0], "failed")
            await self._deliver(deque([part]))
        else:
            self.lost += 1
            self._let_go(part)

    def _unsealable(self, content: Content, error: Exception) -> None:
        log.error("content cannot be encrypted", request_id=content.request_id, error=type(error).__name__)
        self._drop(content, "key_unavailable" if isinstance(error, DecryptionFailed) else "failed")

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

    async def _put(self, parts: deque[list[Content]]) -> None:
        """One part after the other; takes out those that are done."""
        until, turns = time.perf_counter() + SPREAD_S, self._turns
        await turns.give()
        keys = await self._permitted(parts)
        while parts:
            part = parts[0]
            sealed = await sealing.together(part, keys, turns, failed=self._unsealable)
            await turns.give()
            (counts,) = await self._main([partial(storing.store, told=storing.told(part), sealed=sealed)])
            self._count(counts, part)
            self._let_go(parts.popleft())
            if parts:
                if not self._is_hurried():
                    await self._until_full(within_s=(until - time.perf_counter()) / len(parts))
                await turns.give()

    async def _permitted(self, parts: Iterable[list[Content]]) -> Mapping[Wish, WrappedKey]:
        """The keys of those of whom something may be stored. The content of all others is dropped, with the reason."""
        there = [content for part in parts for content in part if content.is_there]
        wishes = dict.fromkeys([content.wish for content in there])
        asked = self._granted.others(wishes)
        refused = await self._refusals(asked)
        self._granted.add([wish for wish in asked if wish not in refused])
        for wish in refused:
            del wishes[wish]
        keys = await self._keys_of(wishes.keys())
        await self._turns.give()
        if len(keys) < len(wishes):
            lost = [wish for wish in wishes if wish not in keys]
            refused.update(dict.fromkeys(lost, "key_unavailable") | await self._refusals(lost))  # erased since, perhaps
        if refused:
            for content in there:
                if reason := refused.get(content.wish):
                    self._drop(content, reason)
        return keys

    async def _refusals(self, wishes: Sequence[Wish]) -> dict[Wish, str]:
        """Of whom nothing may be stored, and why not."""
        refused: dict[Wish, str] = {}
        for start in range(0, len(wishes), ASKED_MOST):
            some = wishes[start : start + ASKED_MOST]
            (reasons,) = await self._main([partial(storing.refusals, wishes=some)])
            refused.update(reasons)
            await self._turns.give()
        return refused

    async def _keys_of(self, wishes: Collection[Wish]) -> Mapping[Wish, WrappedKey]:
        """None where they do not answer: what is handed over meanwhile must not wait for them."""
        if not wishes:
            return {}
        try:
            async with asyncio.timeout(KEYS_WITHIN_S):
                return await self._keys(wishes)
        except Exception as error:
            log.warning("keys cannot be read", error=type(error).__name__, count=len(wishes))
            return {}


def _parts(batch: list[Content], number: int) -> deque[list[Content]]:
    """What is stored together. What people said stays together, as they are locked in each part."""
    most = max(PART_LEAST, -(-len(batch) // number))
    wishes: defaultdict[Wish, list[Content]] = defaultdict(list)
    for content in batch:
        wishes[content.wish].append(content)
    parts: deque[list[Content]] = deque()
    room = 0
    for content in chain.from_iterable(wishes.values()):
        size = content.size if content.is_there else 0
        if not parts or len(parts[-1]) == most or size > room:
            parts.append([])
            room = PART_BYTES
        parts[-1].append(content)
        room -= size
    return parts
