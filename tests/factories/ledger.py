"""Requests as the gateway brings them before the ledger, and tenants of which only the ledger knows."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from django.db import connections

from billing.contracts import MeterKind, MeterSet, MeterSpec
from config.asgi import libpq_params
from gateway.ids import new_id
from gateway.ledger import Admission, Ledger, Settlement

T = TypeVar("T")
_tenant_ids = itertools.count(5_000_000)


def a_tenant_id() -> int:
    """One that no other test has."""
    return next(_tenant_ids)


def admit(
    tenant_id: int, *budgets: str, cost: int = 100, period: str = "total", zone: str = "UTC", at_once: bool = False
) -> str:
    """Admits a request to those budgets, by the names of their meters, and `at_once` to a limit of concurrency."""
    limits = [(name, MeterKind.BUDGET) for name in budgets] + [("tenant/concurrency", MeterKind.CONCURRENCY)] * at_once
    specs = tuple(
        MeterSpec(tenant_id=tenant_id, name=name, label=name, kind=kind, limit=10**15, period=period, zone=zone)
        for name, kind in limits
    )
    admission = Admission(
        request_id=new_id(),
        tenant_id=tenant_id,
        cost_nano=cost,
        input_tokens=10,
        output_tokens=10,
        lease_s=600,
        context={"model": "m"},
        meters=MeterSet(specs),
    )
    standing = _in_ledger(lambda ledger: ledger.admit(admission))
    assert standing.refused_by is None
    return admission.request_id


def settle(request_id: str, *, cost: int = 70) -> None:
    settlement = Settlement(
        request_id=request_id,
        cost_nano=cost,
        input_tokens=5,
        output_tokens=5,
        record={"outcome": "completed", "model": "m"},
    )
    assert _in_ledger(lambda ledger: ledger.settle(settlement))


def query(statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    """What a statement says in the ledger's database."""
    with connections["ledger"].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _in_ledger(story: Callable[[Ledger], Awaitable[T]]) -> T:
    async def run() -> T:
        ledger = Ledger(libpq_params("ledger"))
        ledger.start()
        try:
            return await story(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())
