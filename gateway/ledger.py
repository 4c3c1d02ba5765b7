"""The gateway's client of the ledger: admissions and settlements, in batches.

Per function at most one batch is under way; what arrives meanwhile forms the next one. So nothing waits for a timer,
a quiet gateway answers at once, and a busy one writes each meter once per batch however many requests touch it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg

from billing.contracts import MeterSpec
from gateway.batches import Batcher, Caller, Params
from gateway.errors import Unavailable


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
        self._admissions = Batcher(Caller(connection_params, _admit), keep=False)
        self._settlements = Batcher(Caller(connection_params, _settle), keep=True)
        self._notes = Batcher(Caller(connection_params, _note), keep=True)
        self._pings = Batcher(Caller(connection_params, _ping), keep=False)

    def start(self) -> None:
        self._admissions.start()
        self._settlements.start()
        self._notes.start()
        self._pings.start()

    async def close(self, *, within_s: float = 10.0) -> None:
        """Finishes what was begun, for at most `within_s`; holds that were not settled by then will be swept."""
        await self._admissions.close(within_s=1.0)
        await self._settlements.close(within_s=within_s)
        await self._notes.close(within_s=1.0)
        await self._pings.close(within_s=0.0)

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
        """Asks the ledger for nothing.

        Raises:
            Unavailable: it cannot be reached.
        """
        try:
            await self._pings.submit(None)
        except psycopg.Error as error:
            raise Unavailable("The gateway cannot reach its ledger right now. Retry in a moment.") from error

    def _give_back(self, admission: Admission, done: "asyncio.Future[Standing]") -> None:
        if done.exception() is not None or done.result().refused_by is None:
            self._abandon(admission, outcome="client_left", code="", status=499)

    def _abandon(self, admission: Admission, **ended: Any) -> None:
        """Nothing was sent for it: if it holds something, that costs nothing. Unknown to the ledger, it is ignored."""
        record = {**admission.context, "input_tokens": 0, "output_tokens": 0, **ended}
        self.settle(Settlement(request_id=admission.request_id, cost_nano=0, tokens=0, record=record))


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
    await connection.execute(_NOTE, [_encode(records).decode()])
    return [None] * len(records)


async def _ping(connection: psycopg.AsyncConnection[Any], pings: list[None]) -> list[None]:
    await connection.execute("SELECT 1")
    return pings


def _array(values: Any) -> str:
    """An array literal of numbers, or of words that need no quotes: ids, meter names, time zones."""
    return "{" + ",".join(map(str, values)) + "}"
