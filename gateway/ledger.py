"""The gateway's client of the ledger: admissions and settlements, in batches.

Per function at most one batch is under way; what arrives meanwhile forms the next one. So nothing waits for a timer,
a quiet gateway answers at once, and a busy one writes each meter once per batch however many requests touch it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import psycopg
from msgspec import Struct, structs

from billing.contracts import MeterSet, MeterSpec
from gateway.batches import STATEMENT_TIMEOUT_MS, Batcher, Caller, Cursor, Params
from gateway.errors import Unavailable

COMPOSITIONS_KEPT = 256
LATEST_ADMISSION_S = STATEMENT_TIMEOUT_MS / 1000 + 0.5
_NOTHING = {"input_tokens": 0, "output_tokens": 0}

MENDED = "record_refused"
"""The code of a usage record that was put on record without the words that made the ledger refuse it."""

MOST_WORD = 200
_OWN_WORDS = frozenset({"environment", "model", "served_model", "end_user", "provider", "upstream_model", "outcome"})


class Admission(Struct, frozen=True, kw_only=True):
    """A request that asks to be admitted. `context` becomes the usage record if this process never settles."""

    request_id: str
    tenant_id: int
    cost_nano: int
    input_tokens: int
    output_tokens: int
    lease_s: int
    context: Mapping[str, Any]
    meters: MeterSet


class Standing(Struct, frozen=True):
    """The answer to an admission: admitted, or refused by a meter; and how all of its meters stand.

    `wait_ms`: after how long it would be admitted; -1: never. `remaining` and `resets_ms` are parallel to the specs of
    `meters`; a soft budget may have less than nothing left. `no_room_for`: a separate meter that would be one too many.
    """

    meters: MeterSet
    refused_by: MeterSpec | None
    wait_ms: int
    remaining: tuple[int, ...]
    resets_ms: tuple[int, ...]
    no_room_for: MeterSpec | None = None


class Extension(Struct, frozen=True, kw_only=True):
    """A request that goes on, and may cost more than was held: `budgets` are those that may refuse it."""

    request_id: str
    cost_nano: int
    output_tokens: int
    budgets: Sequence[MeterSpec]


class Settlement(Struct, frozen=True, kw_only=True):
    """What an admitted request really cost and used, and its usage record; None where another record tells of it."""

    request_id: str
    cost_nano: int
    input_tokens: int
    output_tokens: int
    record: Mapping[str, Any] | None


class Ledger:
    """Admits, extends, settles and notes refusals. `start` it in the event loop that uses it, and `close` it last."""

    def __init__(self, connection_params: Params) -> None:
        self._admissions = Batcher(Caller(connection_params, _Admitter()), keep=False, unwanted=self._give_back)
        self._extensions = Batcher(Caller(connection_params, _extend), keep=False)
        self._settlements = Batcher(Caller(connection_params, _settle), keep=True, mended=_mended)
        self._notes = Batcher(Caller(connection_params, _note), keep=True)
        self._pings = Batcher(Caller(connection_params, _ping), keep=False)

    def start(self) -> None:
        self._admissions.start()
        self._extensions.start()
        self._settlements.start()
        self._notes.start()
        self._pings.start()

    async def close(self, *, within_s: float = 10.0) -> None:
        """Finishes what was begun, for at most `within_s`; holds that were not settled by then will be swept."""
        await self._admissions.close(within_s=1.0)
        await self._extensions.close(within_s=1.0)
        await self._settlements.close(within_s=within_s)
        await self._notes.close(within_s=1.0)
        await self._pings.close(within_s=0.0)

    async def admit(self, admission: Admission) -> Standing:
        """Asks for admission: one hold in all of its meters, or in none.

        If the caller is cancelled meanwhile, whatever was held is given back.

        Raises:
            Unavailable: the ledger did not answer; if it did admit, that is taken back.
        """
        try:
            return await self._admissions.submit(admission)
        except psycopg.Error as error:
            self._abandon(admission, record=None)  # it is counted as a refusal
            raise Unavailable("The gateway cannot reach its ledger right now. Retry in a moment.") from error

    def extend(self, extension: Extension) -> "asyncio.Future[bool]":
        """Asks for more to be held for a request that was admitted. The future tells whether it is.

        It fails with `psycopg.Error` when the ledger does not answer; what that may have added is let go of at
        settlement.
        """
        return self._extensions.submit(extension)

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

    def _give_back(self, admission: Admission, standing: Standing | None) -> None:
        """Nobody waits for this answer any more. None: there is no telling what it was."""
        if standing is None or (standing.refused_by is None and standing.no_room_for is None):
            left = {**admission.context, **_NOTHING, "outcome": "client_left", "code": "", "status": 499}
            self._abandon(admission, record=left)

    def _abandon(self, admission: Admission, *, record: Mapping[str, Any] | None) -> None:
        """Nothing was sent for it: if it holds something, that costs nothing. Unknown to the ledger, it is ignored."""
        settlement = Settlement(request_id=admission.request_id, cost_nano=0, record=record, **_NOTHING)
        self.settle(settlement).add_done_callback(lambda done: self._once_more(settlement, done))

    def _once_more(self, settlement: Settlement, done: "asyncio.Future[bool]") -> None:
        """An admission that was given up on may still be at work in the ledger, for as long as a statement may run."""
        if not done.cancelled() and done.exception() is None and not done.result():
            asyncio.get_running_loop().call_later(LATEST_ADMISSION_S, self.settle, settlement)


# --- what is sent and what comes back ------------------------------------------------------------------------------

_ADMIT = """
SELECT verdicts, waits_ms, remaining, resets_ms FROM admit(
    %s::bigint[], %s::text[], %s::smallint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::integer[],
    %s::integer[], %s::integer[],
    %s::uuid[], %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[], %s::jsonb)
"""
_EXTEND = "SELECT extend(%s::uuid[], %s::bigint[], %s::bigint[], %s::integer[], %s::text[], %s::bigint[])"
_SETTLE = "SELECT settle(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::jsonb)::text[]"
_NOTE = "SELECT note(%s::jsonb)"
_encode = msgspec.json.Encoder().encode

_Sets = tuple[MeterSet, ...]


class _Composition:
    """What the ledger is told of the sets of meters in a batch: each meter once, and which set has which."""

    __slots__ = ("meters", "params", "places", "specs")

    def __init__(self, sets: _Sets) -> None:
        places: dict[tuple[str, ...], int] = {}
        self.specs: list[MeterSpec] = []
        columns: list[tuple[str, ...]] = []
        members: list[str] = []
        numbers: list[str] = []
        self.places: list[Callable[[Sequence[int]], tuple[int, ...]]] = []
        for number, meters in enumerate(sets, 1):
            own = []
            for spec, column in zip(meters.specs, meters.columns, strict=True):
                place = places.setdefault(column[:2], len(columns))
                if place == len(columns):
                    columns.append(column)
                    self.specs.append(spec)
                else:  # the same meter, as the latest request knows it
                    columns[place] = column
                own.append(place)
                numbers.append(str(number))
                members.append(f"-{place + 1}" if spec.soft else str(place + 1))
            self.places.append(_getter(own))
        self.meters = sets
        self.params = (*map(_array, zip(*columns, strict=True)), _array(numbers), _array(members))


def _getter(places: list[int]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    """Takes those places out of a row of numbers."""
    if len(places) == 1:
        only = places[0]
        return lambda row: (row[only],)
    return itemgetter(*places) if places else lambda _: ()


class _Admitter:
    """Asks for a batch of admissions. Batches of the same sets of meters are put together once."""

    def __init__(self) -> None:
        self._compositions: OrderedDict[_Sets, _Composition] = OrderedDict()

    async def __call__(self, cursor: Cursor, admissions: list[Admission]) -> list[Standing]:
        numbers: dict[MeterSet, int] = {}
        for admission in admissions:
            numbers.setdefault(admission.meters, len(numbers) + 1)
        composition = self._composition(tuple(numbers))
        params = (
            *composition.params,
            _array([admission.request_id for admission in admissions]),
            _numbers(numbers[admission.meters] for admission in admissions),
            _numbers(admission.tenant_id for admission in admissions),
            _numbers(admission.cost_nano for admission in admissions),
            _numbers(admission.input_tokens for admission in admissions),
            _numbers(admission.output_tokens for admission in admissions),
            _numbers(admission.lease_s for admission in admissions),
            _encode([admission.context for admission in admissions]).decode(),
        )
        await cursor.execute(_ADMIT, params)
        row = await cursor.fetchone()
        assert row is not None
        verdicts, waits_ms, remaining, resets_ms = row
        # The figures of a set are the same for each of its requests.
        figures = [(places(remaining), places(resets_ms)) for places in composition.places]
        return [
            _standing(composition, numbers[admission.meters], verdict, wait_ms, figures)
            for admission, verdict, wait_ms in zip(admissions, verdicts, waits_ms, strict=True)
        ]

    def _composition(self, sets: _Sets) -> _Composition:
        known = self._compositions.get(sets)
        if known is None:
            known = self._compositions[sets] = _Composition(sets)
            if len(self._compositions) > COMPOSITIONS_KEPT:
                self._compositions.popitem(last=False)
        return known


def _standing(
    composition: _Composition,
    number: int,
    verdict: int,
    wait_ms: int,
    figures: list[tuple[tuple[int, ...], tuple[int, ...]]],
) -> Standing:
    meters, (remaining, resets_ms) = composition.meters[number - 1], figures[number - 1]
    if verdict == 0:
        return Standing(meters, None, wait_ms, remaining, resets_ms)
    spec = _own(meters, composition.specs[abs(verdict) - 1])
    if verdict < 0:
        return Standing(meters, None, 0, remaining, resets_ms, no_room_for=spec)
    return Standing(meters, spec, wait_ms, remaining, resets_ms)


def _own(meters: MeterSet, spec: MeterSpec) -> MeterSpec:
    """That meter as the request itself knows it."""
    return next(own for own in meters.specs if (own.tenant_id, own.name) == (spec.tenant_id, spec.name))


async def _extend(cursor: Cursor, extensions: list[Extension]) -> list[bool]:
    budgets = [(number, budget) for number, extension in enumerate(extensions, 1) for budget in extension.budgets]
    await cursor.execute(
        _EXTEND,
        (
            _array([extension.request_id for extension in extensions]),
            _numbers(extension.cost_nano for extension in extensions),
            _numbers(extension.output_tokens for extension in extensions),
            _numbers(number for number, _ in budgets),
            _array([budget.name for _, budget in budgets]),
            _numbers(budget.limit for _, budget in budgets),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    granted: list[bool] = row[0]
    return granted


async def _settle(cursor: Cursor, settlements: list[Settlement]) -> list[bool]:
    await cursor.execute(
        _SETTLE,
        (
            _array([settlement.request_id for settlement in settlements]),
            _numbers(settlement.cost_nano for settlement in settlements),
            _numbers(settlement.input_tokens for settlement in settlements),
            _numbers(settlement.output_tokens for settlement in settlements),
            _encode([settlement.record for settlement in settlements]).decode(),
        ),
    )
    row = await cursor.fetchone()
    settled = set(row[0]) if row else set()
    return [_taken(settled, settlement.request_id) for settlement in settlements]


def _mended(settlement: Settlement) -> Settlement | None:
    """The settlement with a record that the ledger can take whatever was in it: only numbers, and the words that the
    gateway itself chose. None where it is one already, so that it is tried once."""
    record = settlement.record
    if record is None or record.get("code") == MENDED:
        return None
    kept = {name: value for name, value in record.items() if value is None or isinstance(value, int)}
    words = {name: _plain(record[name]) for name in _OWN_WORDS & record.keys() if isinstance(record[name], str)}
    return structs.replace(settlement, record={**kept, **words, "code": MENDED})


def _plain(word: str) -> str:
    return "".join(filter(str.isprintable, word[:MOST_WORD]))


def _taken(ids: set[str], wanted: str) -> bool:
    """Whether it is among them; once, also if it is asked for twice."""
    there = wanted in ids
    ids.discard(wanted)
    return there


async def _note(cursor: Cursor, records: list[Mapping[str, Any]]) -> list[None]:
    await cursor.execute(_NOTE, [_encode(records).decode()])
    return [None] * len(records)


async def _ping(cursor: Cursor, pings: list[None]) -> list[None]:
    await cursor.execute("SELECT 1")
    return pings


def _array(words: Iterable[str]) -> str:
    """An array literal of words that need no quotes: numbers, ids, meter names, time zones."""
    return "{" + ",".join(words) + "}"


def _numbers(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"
