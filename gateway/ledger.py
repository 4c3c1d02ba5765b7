"""The gateway's client of the ledger: admissions and settlements, in batches.

Per function at most one batch is under way; what arrives meanwhile forms the next one. So nothing waits for a timer,
a quiet gateway answers at once, and a busy one writes each meter once per batch however many requests touch it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import psycopg
import structlog

from billing.contracts import MeterSpec
from gateway.errors import Unavailable

BATCH_MOST = 256
CALL_TIMEOUT_S = 5.0
RETRY_S = 0.25

log = structlog.get_logger("gateway.ledger")

Params = Mapping[str, Any]
Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A request that asks to be admitted. `context` becomes the usage record if this process never settles."""

    request_id: str
    tenant_id: int
    cost_nano: int
    tokens: int
    lease_s: int
    context: Mapping[str, Any]
    meters: Sequence[MeterSpec]


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to an admission: admitted, or refused by a meter; and how all of its meters stand.

    `wait_ms`: after how long it would be admitted; -1: never. `remaining` and `resets_ms` are parallel to the
    admission's meters.
    """

    refused_by: MeterSpec | None
    wait_ms: int
    remaining: tuple[int, ...]
    resets_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What an admitted request really cost and used, and its usage record."""

    request_id: str
    cost_nano: int
    tokens: int
    record: Mapping[str, Any]


class Ledger:
    """Admits, settles and notes refusals. `start` it in the event loop that uses it, and `close` it last."""

    def __init__(self, connection_params: Params) -> None:
        self._admissions = _Batcher(_Caller(connection_params, _admit), keep=False)
        self._settlements = _Batcher(_Caller(connection_params, _settle), keep=True)
        self._notes = _Batcher(_Caller(connection_params, _note), keep=True)

    def start(self) -> None:
        self._admissions.start()
        self._settlements.start()
        self._notes.start()

    async def close(self, *, within_s: float = 10.0) -> None:
        """Finishes what was begun, for at most `within_s`; holds that were not settled by then will be swept."""
        await self._admissions.close(within_s=1.0)
        await self._settlements.close(within_s=within_s)
        await self._notes.close(within_s=1.0)

    async def admit(self, admission: Admission) -> Standing:
        """Asks for admission: one hold in all of its meters, or in none.

        If the caller is cancelled meanwhile, whatever was held is given back.

        Raises:
            Unavailable: the ledger did not answer; if it did admit, that is taken back.
        """
        future = self._admissions.submit(admission)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: self._give_back(admission, done))
            raise
        except psycopg.Error as error:
            self._abandon(admission, outcome="failed", code="service_unavailable", status=503)
            raise Unavailable("The gateway cannot reach its ledger right now. Retry in a moment.") from error

    def settle(self, settlement: Settlement) -> "asyncio.Future[bool]":
        """Queues a settlement; it is tried until it is done. The future tells whether this call did it."""
        return self._settlements.submit(settlement)

    def note(self, record: Mapping[str, Any]) -> None:
        """Queues a usage record of requests that nothing was held for."""
        self._notes.submit(record)

    async def ping(self) -> None:
        """Asks the ledger for an empty batch.

        Raises:
            psycopg.Error: it cannot be reached.
        """
        await self._notes.submit({})

    @property
    def backlog(self) -> int:
        """Settlements that wait for the ledger."""
        return len(self._settlements)

    def _give_back(self, admission: Admission, done: "asyncio.Future[Standing]") -> None:
        if done.exception() is not None or done.result().refused_by is None:
            self._abandon(admission, outcome="client_left", code="", status=499)

    def _abandon(self, admission: Admission, **ended: Any) -> None:
        """Nothing was sent for it: if it holds something, that costs nothing. Unknown to the ledger, it is ignored."""
        record = {**admission.context, "input_tokens": 0, "output_tokens": 0, **ended}
        self.settle(Settlement(request_id=admission.request_id, cost_nano=0, tokens=0, record=record))


class _Caller(Generic[Item, Answer]):
    """One dedicated connection and the function that is called over it."""

    def __init__(
        self,
        params: Params,
        call: Callable[[psycopg.AsyncConnection[Any], list[Item]], Awaitable[list[Answer]]],
    ) -> None:
        self._params = params
        self._call = call
        self._connection: psycopg.AsyncConnection[Any] | None = None

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

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                **self._params, autocommit=True, prepare_threshold=0
            )
        return self._connection

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


class _Batcher(Generic[Item, Answer]):
    """Collects items while a batch is under way. With `keep`, items whose batch failed are tried again."""

    def __init__(self, call: _Caller[Item, Answer], *, keep: bool) -> None:
        self._call = call
        self._keep = keep
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

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
        try:
            answers = await self._call([item for item, _ in batch])
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            await self._unreachable(batch, error)
        except psycopg.Error as error:
            await self._unacceptable(batch, error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    async def _unreachable(self, batch: "list[tuple[Item, asyncio.Future[Answer]]]", error: Exception) -> None:
        log.warning("ledger unreachable", error=type(error).__name__, count=len(batch))
        if self._keep:
            self._waiting = batch + self._waiting
            await asyncio.sleep(RETRY_S)
        else:
            _fail(batch, psycopg.OperationalError(str(error)))

    async def _unacceptable(self, batch: "list[tuple[Item, asyncio.Future[Answer]]]", error: psycopg.Error) -> None:
        """One item that the ledger does not take must not take the others with it: each goes alone."""
        if len(batch) == 1:
            log.error("ledger refused an item", error=type(error).__name__)
            _fail(batch, error)
            return
        for entry in batch:
            await self._deliver([entry])


def _fail(batch: "list[tuple[Any, asyncio.Future[Any]]]", error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
            future.exception()  # seen: not every caller waits for its settlement


# --- what is sent and what comes back ------------------------------------------------------------------------------

_ADMIT = """
SELECT verdicts, waits_ms, remaining, resets_ms FROM admit(
    %s::bigint[], %s::text[], %s::smallint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::boolean[],
    %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::jsonb, %s::bigint[], %s::bigint[])
"""
_SETTLE = "SELECT settle(%s::uuid[], %s::bigint[], %s::bigint[], %s::jsonb)::text[]"
_NOTE = "SELECT note(%s::jsonb)"
_encode = msgspec.json.Encoder().encode


async def _admit(connection: psycopg.AsyncConnection[Any], admissions: list[Admission]) -> list[Standing]:
    meters, cells = _meters_of(admissions)
    specs = list(meters.values())
    places = {key: place for place, key in enumerate(meters)}
    params = (
        _array(spec.tenant_id for spec in specs),
        _array(spec.name for spec in specs),
        _array(int(spec.kind) for spec in specs),
        _array(spec.limit for spec in specs),
        _array(spec.window_ns for spec in specs),
        _array(spec.period for spec in specs),
        _array(spec.zone for spec in specs),
        _array("t" if spec.soft else "f" for spec in specs),
        _array(admission.request_id for admission in admissions),
        _array(admission.tenant_id for admission in admissions),
        _array(admission.cost_nano for admission in admissions),
        _array(admission.tokens for admission in admissions),
        _array(admission.lease_s for admission in admissions),
        _encode([admission.context for admission in admissions]).decode(),
        _array(request for request, _ in cells),
        _array(places[key] + 1 for _, key in cells),
    )
    cursor = await connection.execute(_ADMIT, params)
    row = await cursor.fetchone()
    assert row is not None
    return [_standing(admission, n, row, specs, places) for n, admission in enumerate(admissions)]


_MeterKey = tuple[int, str]
_Cells = list[tuple[int, _MeterKey]]


def _meters_of(admissions: list[Admission]) -> tuple[dict[_MeterKey, MeterSpec], _Cells]:
    """Each meter once, as the latest request knows it, and which request (from 1) takes from which."""
    meters: dict[_MeterKey, MeterSpec] = {}
    cells: _Cells = []
    for number, admission in enumerate(admissions, 1):
        for spec in admission.meters:
            key = (spec.tenant_id, spec.name)
            meters[key] = spec
            cells.append((number, key))
    return meters, cells


def _standing(
    admission: Admission, number: int, row: Sequence[Any], specs: list[MeterSpec], places: dict[_MeterKey, int]
) -> Standing:
    verdicts, waits_ms, remaining, resets_ms = row
    own = [places[spec.tenant_id, spec.name] for spec in admission.meters]
    return Standing(
        refused_by=specs[verdicts[number] - 1] if verdicts[number] else None,
        wait_ms=waits_ms[number],
        remaining=tuple(remaining[place] for place in own),
        resets_ms=tuple(resets_ms[place] for place in own),
    )


async def _settle(connection: psycopg.AsyncConnection[Any], settlements: list[Settlement]) -> list[bool]:
    cursor = await connection.execute(
        _SETTLE,
        (
            _array(settlement.request_id for settlement in settlements),
            _array(settlement.cost_nano for settlement in settlements),
            _array(settlement.tokens for settlement in settlements),
            _encode([settlement.record for settlement in settlements]).decode(),
        ),
    )
    row = await cursor.fetchone()
    settled = set(row[0]) if row else set()
    return [settlement.request_id in settled for settlement in settlements]


async def _note(connection: psycopg.AsyncConnection[Any], records: list[Mapping[str, Any]]) -> list[None]:
    await connection.execute(_NOTE, [_encode([record for record in records if record]).decode()])
    return [None] * len(records)


def _array(values: Any) -> str:
    """An array literal of numbers, or of words that need no quotes: ids, meter names, time zones."""
    return "{" + ",".join(map(str, values)) + "}"
