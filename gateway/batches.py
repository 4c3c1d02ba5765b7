"""Batches: what arrives while one is under way forms the next, over one dedicated connection to the ledger.

So nothing waits for a timer, a quiet gateway answers at once, and a busy one makes few round trips.
"""

import asyncio
import select
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import psycopg
import structlog

BATCH_MOST = 256
CALL_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_MS = 4_000
"""Below the call's own, so that a call that was given up on cannot succeed later."""

RETRY_S = 0.25

log = structlog.get_logger("gateway.ledger")

Params = Mapping[str, Any]
Cursor = psycopg.AsyncCursor[Any]
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Caller(Generic[Item, Answer]):
    """One dedicated connection and the function that is called over it, with a cursor that is used again and again.

    `settings` hold for the connection, as `SET` takes them.
    """

    def __init__(
        self,
        params: Params,
        call: Callable[[Cursor, list[Item]], Awaitable[list[Answer]]],
        *,
        settings: Sequence[str] = (),
    ) -> None:
        self._params = params
        self._call = call
        # What locks and then looks must see what was committed while it waited, whatever the database's default is.
        isolation = "default_transaction_isolation = 'read committed'"
        self._settings = (f"statement_timeout = {STATEMENT_TIMEOUT_MS}", isolation, *settings)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._cursor: Cursor | None = None

    async def __call__(self, items: list[Item]) -> list[Answer]:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await self._call(await self._connected(), items)
        except TimeoutError as error:
            await self.disconnect()
            raise psycopg.OperationalError("the ledger did not answer in time") from error
        except (psycopg.OperationalError, psycopg.InterfaceError):
            await self.disconnect()
            raise

    async def _connected(self) -> Cursor:
        if self._connection is not None and _was_lost(self._connection):
            await self.disconnect()
        if self._connection is None or self._cursor is None:
            self._connection = await psycopg.AsyncConnection.connect(
                **self._params, autocommit=True, prepare_threshold=0
            )
            self._cursor = self._connection.cursor()
            for setting in self._settings:
                await self._cursor.execute(f"SET {setting}".encode())
        return self._cursor

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = self._cursor = None


def _was_lost(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the server has ended the connection while it was idle: then nothing was under way that could be lost."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return bool(connection.pgconn.status != psycopg.pq.ConnStatus.OK)


class Batcher(Generic[Item, Answer]):
    """Collects items while a batch is under way. With `keep`, items whose batch failed are tried again.

    `mended` says what to try in place of an item that the ledger refuses for what it says; None: there is nothing.

    `batches`, `items` and `busy_s` add up what was called, with how much, and how long that took.

    `unwanted` is told of items whose caller was cancelled meanwhile, with the answer, or None where there is none.
    """

    def __init__(
        self,
        call: Caller[Item, Answer],
        *,
        keep: bool,
        unwanted: Callable[[Item, Answer | None], None] = lambda item, answer: None,
        mended: Callable[[Item], Item | None] = lambda item: None,
    ) -> None:
        self._call = call
        self._keep = keep
        self._mended = mended
        self._unwanted = unwanted
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.batches = 0
        self.items = 0
        self.busy_s = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def submit(self, item: Item) -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return future

    async def close(self, *, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._drained()
        except TimeoutError:
            log.error("ledger backlog left behind", count=len(self._waiting))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._call.disconnect()

    async def _drained(self) -> None:
        while self._waiting or not self._idle.is_set():
            self._arrived.set()
            self._idle.clear()
            await self._idle.wait()

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._arrived.clear()
                self._idle.set()
                await self._arrived.wait()
            self._idle.clear()
            batch, self._waiting = self._waiting[:BATCH_MOST], self._waiting[BATCH_MOST:]
            await self._deliver(batch)

    async def _deliver(self, batch: "list[tuple[Item, asyncio.Future[Answer]]]") -> None:
        began = time.perf_counter()
        self.batches += 1
        self.items += len(batch)
        try:
            answers = await self._call([item for item, _ in batch])
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            await self._unreachable(batch, error)
        except Exception as error:  # the items' own fault; whatever it is, the next batch must go on
            await self._unacceptable(batch, error)
        else:
            for (item, future), answer in zip(batch, answers, strict=True):
                if future.cancelled():
                    self._unwanted(item, answer)
                elif not future.done():
                    future.set_result(answer)
        finally:
            self.busy_s += time.perf_counter() - began

    async def _unreachable(self, batch: "list[tuple[Item, asyncio.Future[Answer]]]", error: Exception) -> None:
        log.warning("ledger unreachable", error=type(error).__name__, count=len(batch))
        if self._keep:
            self._waiting = batch + self._waiting
            await asyncio.sleep(RETRY_S)
        else:
            self._fail(batch, psycopg.OperationalError(str(error)))

    async def _unacceptable(self, batch: "list[tuple[Item, asyncio.Future[Answer]]]", error: Exception) -> None:
        """One item that the ledger does not take must not take the others with it: each goes alone."""
        if len(batch) == 1:
            await self._refused(*batch[0], error)
            return
        for entry in batch:
            await self._deliver([entry])

    async def _refused(self, item: Item, future: "asyncio.Future[Answer]", error: Exception) -> None:
        mended = self._mended(item)
        log.error("ledger refused an item", error=type(error).__name__, mended=mended is not None)
        if mended is None:
            self._fail([(item, future)], error)
        else:
            await self._deliver([(mended, future)])

    def _fail(self, batch: "list[tuple[Item, asyncio.Future[Answer]]]", error: Exception) -> None:
        for item, future in batch:
            if future.cancelled():
                self._unwanted(item, None)
            elif not future.done():
                future.set_exception(error)
                future.exception()  # seen: not every caller waits for its settlement
