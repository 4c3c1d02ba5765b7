"""The ledger's server is restarted under load, or crashes: what was admitted is settled once it is back."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.models import Model
from tests.system import books, crowd
from tests.system.clients import Caller, a_caller
from tests.system.conftest import StartGateway
from tests.system.dbserver import LedgerServer, ledger_server
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

REQUESTS = 900
AT_ONCE = 60


@pytest.fixture(scope="module")
def own_server(databases: None) -> Iterator[LedgerServer]:
    with ledger_server() as server:
        yield server


@pytest.fixture(scope="module")
def gateways(own_server: LedgerServer, start_gateway_for_module: StartGateway) -> list[Gateway]:
    """Two, as in production."""
    return [start_gateway_for_module(LEDGER_DATABASE_URL=own_server.url) for _ in range(2)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_everything_that_was_sent_is_charged_once(
    gateways: list[Gateway], own_server: LedgerServer, sandbox: Sandbox, model: Model, mode: str
) -> None:
    first = books.with_budgets(a_caller(gateways[0], model))
    second = a_caller(gateways[1], model, tenant=first.tenant)
    requests = [request for number in range(REQUESTS // 3) for request in some((first, second)[number % 2])]

    def restarted() -> None:
        eventually(lambda: len(sandbox.requests()) > REQUESTS // 4)
        own_server.restart(mode)

    statuses, _ = asyncio.run(crowd.ask_until(restarted, requests, at_once=AT_ONCE))
    assert set(statuses) == {200, 503}
    own_server.reconnect()
    for gateway in gateways:
        eventually(gateway.is_ready)
    records = books.balanced(first)
    assert len(sandbox.requests()) == books.reached(records) == statuses.count(200)
    assert set(asyncio.run(crowd.ask(requests[:6], at_once=6))) == {200}


def some(caller: Caller) -> list[crowd.Asked]:
    """A quick answer, a slow one and a stream."""
    bodies = (
        caller.body(max_tokens=30),
        caller.body(max_tokens=30, sandbox={"latency_ms": 300}),
        caller.body(max_tokens=30, stream=True, sandbox={"tokens": 20, "chunk_ms": 20}),
    )
    return [crowd.Asked(caller, body) for body in bodies]
