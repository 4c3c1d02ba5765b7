"""Stories that are told to the ledger through the gateway's client of it, and what its database says afterwards."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg

from billing.contracts import SECOND_NS, MeterKind, MeterSet, MeterSpec
from gateway.ids import new_id
from gateway.ledger import Admission, Ledger, Settlement

T = TypeVar("T")
Params = dict[str, Any]
tenant_ids = itertools.count(1_000_000)


def in_ledger(params: Params, story: Callable[[Ledger], Awaitable[T]]) -> T:
    """Runs `story` with a ledger of its own."""

    async def run() -> T:
        ledger = Ledger(params)
        ledger.start()
        try:
            return await story(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())


def query(params: Params, statement: str, *values: Any) -> list[Any]:
    with psycopg.connect(**params, autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def sweep(params: Params) -> None:
    """Sweeps every hold whose lease has run out, also what other tests have left behind before."""
    while query(params, "SELECT sweep(1000)") != [(0,)]:
        pass


def a_rate(tenant: int, limit: int, *, seconds: int = 60, kind: MeterKind = MeterKind.REQUESTS) -> MeterSpec:
    window_ns = seconds * SECOND_NS
    return MeterSpec(
        tenant_id=tenant, name=f"rate/{kind}/{seconds}", label="rate", kind=kind, limit=limit, window_ns=window_ns
    )


def a_budget(tenant: int, limit: int, *, period: str = "total", soft: bool = False, name: str = "b") -> MeterSpec:
    return MeterSpec(
        tenant_id=tenant, name=f"budget/{name}", label="b", kind=MeterKind.BUDGET, limit=limit, period=period, soft=soft
    )


def a_request(*meters: MeterSpec, cost: int = 10, tokens: int = 100, output: int = 0, lease_s: int = 600) -> Admission:
    """Of `tokens`, `output` are output."""
    return Admission(
        request_id=new_id(),
        tenant_id=meters[0].tenant_id,
        cost_nano=cost,
        input_tokens=tokens - output,
        output_tokens=output,
        lease_s=lease_s,
        context={"model": "m"},
        meters=MeterSet(meters),
    )


def settled(admission: Admission, *, cost: int = 7, tokens: int = 50, output: int = 0) -> Settlement:
    record = {"outcome": "completed", "model": "m"}
    return Settlement(
        request_id=admission.request_id,
        cost_nano=cost,
        input_tokens=tokens - output,
        output_tokens=output,
        record=record,
    )


def state(params: Params, meter: MeterSpec) -> tuple[int, int]:
    """What is used, and held, of a meter."""
    rows = query(params, "SELECT used, held FROM meter WHERE tenant_id = %s AND name = %s", meter.tenant_id, meter.name)
    return (rows[0][0], rows[0][1]) if rows else (0, 0)


def records_of(params: Params, request_id: str) -> list[dict[str, Any]]:
    found = query(params, "SELECT record FROM usage_outbox WHERE record ->> 'request_id' = %s", request_id)
    return [row[0] for row in found]
