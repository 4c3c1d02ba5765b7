"""Makes load on the ledger alone: a process that admits, and may settle, through the gateway's own client.

Steered over its standard streams: it reads a plan as one line of JSON, warms up, writes `ready`, and then one line of
JSON for each interval, until it is ended.
"""

import asyncio
import contextlib
import sys
import time
from typing import Any

import msgspec
import uvloop

from billing.contracts import SECOND_NS, MeterKind, MeterSet, MeterSpec
from gateway.ids import new_id
from gateway.ledger import Admission, Ledger, Settlement

WARM_UP_S = 1.0
COST_NANO, INPUT_TOKENS, OUTPUT_TOKENS = 25_000, 60, 40


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: `params` are libpq's for the ledger; `tenant_id` is one that nobody else uses."""

    params: dict[str, Any]
    tenant_id: int
    at_once: int
    settled: bool
    interval_s: float


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """What was done in an interval. `cpu_s` is this process's own."""

    requests: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of the client for each request."""
        return self.cpu_s * 1e6 / self.requests


class _Load:
    """Requests that are made one after another, by as many as there shall be at once."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._plan = plan
        self._ledger = ledger
        self._meters = six_meters(plan.tenant_id)
        self.done = 0

    async def run(self) -> None:
        context = _context()
        record = {**context, "outcome": "completed", "status": 200, "latency_ms": 740, "overhead_us": 450}
        while True:
            request_id = new_id()
            standing = await self._ledger.admit(self._admission(request_id, context))
            assert standing.refused_by is None, standing.refused_by
            if self._plan.settled:
                await self._ledger.settle(_settlement(request_id, record))
            self.done += 1

    def _admission(self, request_id: str, context: dict[str, Any]) -> Admission:
        return Admission(
            request_id=request_id,
            tenant_id=self._plan.tenant_id,
            cost_nano=COST_NANO,
            input_tokens=INPUT_TOKENS,
            output_tokens=OUTPUT_TOKENS,
            lease_s=600,
            context=context,
            meters=self._meters,
        )


def six_meters(tenant_id: int) -> MeterSet:
    """Those of a tenant with a tier and two budgets, none of which refuses anything."""
    rates = ((MeterKind.REQUESTS, 60), (MeterKind.REQUESTS, 86_400), (MeterKind.TOKENS, 60))
    periods = ("month", "day")
    limits = [_spec(tenant_id, f"rate/{kind}/{s}", kind, 10**9, window_ns=s * SECOND_NS) for kind, s in rates]
    concurrency = _spec(tenant_id, "concurrency", MeterKind.CONCURRENCY, 10**9)
    budgets = [_spec(tenant_id, f"budget/{period}", MeterKind.BUDGET, 10**18, period=period) for period in periods]
    return MeterSet((*limits, concurrency, *budgets))


def _spec(tenant_id: int, name: str, kind: MeterKind, limit: int, **more: Any) -> MeterSpec:
    return MeterSpec(tenant_id=tenant_id, name=name, label=name, kind=kind, limit=limit, **more)


def _context() -> dict[str, Any]:
    """As `gateway/stages/admit.py` writes it."""
    return {
        "application_id": 7,
        "api_key_id": 11,
        "environment": "prod",
        "model": "gpt-5-mini",
        "provider": "openai",
        "upstream_model": "gpt-5-mini-2025-08-07",
        "streamed": False,
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
        "end_user": "eu_mfrggzdfmztwq2lknnwg23tp",
        "tags": {"feature": "search"},
    }


def _settlement(request_id: str, record: dict[str, Any]) -> Settlement:
    return Settlement(
        request_id=request_id,
        cost_nano=COST_NANO // 2,
        input_tokens=INPUT_TOKENS,
        output_tokens=OUTPUT_TOKENS // 2,
        record=record,
    )


async def _main(plan: Plan) -> None:
    ledger = Ledger(plan.params)
    ledger.start()
    load = _Load(plan, ledger)
    async with asyncio.TaskGroup() as group:
        for _ in range(plan.at_once):
            group.create_task(load.run())
        await asyncio.sleep(WARM_UP_S)
        print("ready", flush=True)
        while True:
            interval = await _interval(load, plan.interval_s)
            print(msgspec.json.encode(interval).decode(), flush=True)


async def _interval(load: _Load, seconds: float) -> Interval:
    began, cpu_s, done = time.perf_counter(), time.process_time(), load.done
    await asyncio.sleep(seconds)
    return Interval(requests=load.done - done, seconds=time.perf_counter() - began, cpu_s=time.process_time() - cpu_s)


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(plan))


if __name__ == "__main__":
    main()
