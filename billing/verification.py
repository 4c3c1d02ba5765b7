"""Recomputes what the ledger's meters say from what is on record, and names what differs.

A budget's `used` is the sum of the usage records that were charged to its meter in its current period, of those of
partitions that retention has dropped since, of what it began with, and of adjustments. `held` is the sum of the holds
of that period; of a limit of requests at once, their number.

It is exact while traffic runs. One statement sees meters, holds and waiting records as they are at one moment; what
was settled by then is either among the waiting records or has reached the main database before. What is there beyond
that was admitted later, or was still held: both are left out.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, connections

from billing.models import MeterBalance

LEDGER = "ledger"
STATE = files("billing").joinpath("sql", "verify_state.sql").read_text(encoding="utf-8")
USED = files("billing").joinpath("sql", "verify_used.sql").read_text(encoding="utf-8")
CHECKS = 3
"""What differs is looked at so many times before it is reported: partitions may go, and clocks step, meanwhile."""
APART_MOST = 500_000
WAIT_S = 2
SLICE = timedelta(days=1)

Progress = Callable[[int, int], None]
"""Told after each part how many are done, and of how many."""


class Unreadable(Exception):
    """The ledger could not be verified; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A meter that does not say what is on record. `quantity` is `used` or `held`; both numbers are nano-dollars, or,
    for a limit of requests at once, requests."""

    tenant_id: int
    meter: str
    quantity: str
    period_start: datetime
    recorded: int
    recomputed: int

    @property
    def difference(self) -> int:
        """What the meter says too much."""
        return self.recorded - self.recomputed


@dataclass(frozen=True, slots=True)
class _Meter:
    """A meter; `held_by_holds` and `used_here` are what the ledger itself has on record of it."""

    id: int
    tenant_id: int
    name: str
    period_start: datetime
    counts_from: datetime
    is_budget: bool
    used: int
    held: int
    held_by_holds: int
    used_here: int


@dataclass(slots=True)
class _Dropped:
    """What the records of dropped months charged to a meter: of months that lie within its period, and of one that its
    period began in, of which nobody can tell any more how much is of the period."""

    whole: int = 0
    part: int = 0


@dataclass(frozen=True, slots=True)
class _State:
    """The ledger at a moment. `apart`: requests that are held or wait in the ledger, whether or not they are already in
    the main database; `until`: all that was admitted by then is in the state."""

    meters: Sequence[_Meter]
    apart: Sequence[UUID]
    until: datetime


def differences(
    *, tenant_id: int | None = None, checks: int = CHECKS, progress: Progress | None = None
) -> list[Difference]:
    """Every meter, or every one of a tenant, that does not say what is on record; none when all is well.

    Raises:
        Unreadable: a database does not answer, or too many records wait in the ledger.
    """
    try:
        found = _compare(_state(tenant_id, None), progress)
        for _ in range(checks - 1):
            if found:
                again = _compare(_state(tenant_id, found.keys()), None)
                found = {meter: again[meter] for meter in found.keys() & again.keys()}
    except DatabaseError as error:
        raise Unreadable(str(error).partition("\n")[0]) from error
    return sorted(
        (each for of_meter in found.values() for each in of_meter), key=lambda d: (d.tenant_id, d.meter, d.quantity)
    )


def meters(*, tenant_id: int | None = None) -> int:
    """How many meters there are to verify."""
    statement = "SELECT count(*) FROM meter WHERE %(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s"
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(statement, {"tenant": tenant_id})
        return int(cursor.fetchone()[0])


def _compare(state: _State, progress: Progress | None) -> dict[int, list[Difference]]:
    recorded, dropped = _used_in_main(state, progress), _used_in_dropped_months(state)
    found = {}
    for meter in state.meters:
        least = meter.used_here + recorded[meter.id] + dropped[meter.id].whole
        pairs = (
            ("used", meter.used, min(max(meter.used, least), least + dropped[meter.id].part)),
            ("held", meter.held, meter.held_by_holds),
        )
        different = [_difference(meter, *pair) for pair in pairs if pair[1] != pair[2]]
        if different:
            found[meter.id] = different
    return found


def _difference(meter: _Meter, quantity: str, recorded: int, recomputed: int) -> Difference:
    return Difference(
        tenant_id=meter.tenant_id,
        meter=meter.name,
        quantity=quantity,
        period_start=meter.period_start,
        recorded=recorded,
        recomputed=recomputed,
    )


# --- the ledger ------------------------------------------------------------------------------------------------------

WRITERS = """
SELECT pid, backend_xid::text FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
"""


def _state(tenant_id: int | None, ids: Collection[int] | None) -> _State:
    values = {"tenant": tenant_id, "ids": None if ids is None else list(ids), "most": APART_MOST}
    with connections[LEDGER].cursor() as cursor:
        until = _admitted_until(cursor)
        cursor.execute(STATE, values)
        *rows, last = cursor.fetchall()
    apart = last[-1] or []
    if len(apart) > APART_MOST:
        raise Unreadable(f"More than {APART_MOST:,} usage records wait in the ledger; verify it when they have moved.")
    return _State([_meter(row) for row in rows], apart, until)


def _meter(row: tuple[Any, ...]) -> _Meter:
    id_, tenant_id, name, period_start, counts_from, is_budget, used, held, held_by_holds, used_here, *_ = row
    return _Meter(
        id=id_,
        tenant_id=tenant_id,
        name=name,
        period_start=period_start,
        counts_from=counts_from,
        is_budget=is_budget,
        used=used,
        held=held,
        held_by_holds=int(held_by_holds),
        used_here=int(used_here),
    )


def _admitted_until(cursor: Any) -> datetime:
    """A time by which every admission is visible from now on. An admission takes its time while it holds its locks, so
    those that were under way then are waited for."""
    cursor.execute("SELECT clock_timestamp()")
    until: datetime = cursor.fetchone()[0]
    writers = _writers(cursor)
    deadline = time.monotonic() + WAIT_S
    while writers and time.monotonic() < deadline:
        writers &= _writers(cursor)
    return until


def _writers(cursor: Any) -> set[tuple[int, str]]:
    cursor.execute(WRITERS)
    return set(cursor.fetchall())


# --- the main database -----------------------------------------------------------------------------------------------


def _used_in_main(state: _State, progress: Progress | None) -> dict[int, int]:
    """By meter. A day at a time, so that neither a statement nor what it needs of memory grows with the table."""
    used: dict[int, int] = defaultdict(int)
    budgets = [meter for meter in state.meters if meter.is_budget]
    tenants = {meter.tenant_id for meter in budgets}
    values: dict[str, Any] = {
        "ids": [meter.id for meter in budgets],
        "counts": [meter.counts_from for meter in budgets],
        "until": state.until,
        "tenant": tenants.pop() if len(tenants) == 1 else None,
        "apart": list(state.apart),
    }
    days = list(_days(budgets, state.until))
    for done, start in enumerate(days, start=1):
        with connection.cursor() as cursor:
            cursor.execute(USED, {**values, "start": start, "end": start + SLICE})
            for meter_id, cost_nano in cursor.fetchall():
                used[meter_id] += int(cost_nano)
        if progress:
            progress(done, len(days))
    return used


def _used_in_dropped_months(state: _State) -> dict[int, _Dropped]:
    """By meter, as far as the months belong to its period."""
    dropped: dict[int, _Dropped] = defaultdict(_Dropped)
    begun = {meter.id: meter.counts_from.astimezone(UTC) for meter in state.meters if meter.is_budget}
    balances = MeterBalance.objects.filter(meter_id__in=begun).values_list("meter_id", "before", "cost_nano")
    for meter_id, before, cost_nano in balances:
        month = (before - timedelta(days=1)).replace(day=1)
        if _midnight(month) >= begun[meter_id]:
            dropped[meter_id].whole += cost_nano
        elif _midnight(before) > begun[meter_id]:
            dropped[meter_id].part += cost_nano
    return dropped


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days(budgets: Sequence[_Meter], until: datetime) -> Iterator[datetime]:
    """The days (UTC) whose records may count."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(at) FROM billing_usagerecord")
        first: datetime | None = cursor.fetchone()[0]
    if first is None or not budgets:
        return
    day = max(first, min(meter.counts_from for meter in budgets)).astimezone(UTC)
    day = day.replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= until:
        yield day
        day += SLICE
