"""Streams without a limit of their own hold a slice at a time; also when that fails, none costs more than it held."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.allowance import SLICE_TOKENS
from gateway.models import Model, Provider
from tests import factories
from tests.system import books, crowd, ledger, raw
from tests.system.clients import Caller, a_caller, served
from tests.system.conftest import StartGateway
from tests.system.pgproxy import DatabaseProxy, Held, database_proxy
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

NANO_PER_TOKEN = 1_000
PRICE = {"input_nano": 0, "output_nano": NANO_PER_TOKEN * 1_000_000}
"""Input is free, so that costs are tokens."""

PACED = {"tokens": 3_000, "chunks": 100, "chunk_ms": 10}
AT_ONCE = {"tokens": 3_000}
IN_ONE = {"tokens": 3_000, "chunks": 1}


@pytest.fixture(scope="module")
def line(databases: None) -> Iterator[DatabaseProxy]:
    """The gateway's way to its ledger."""
    with database_proxy("ledger") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(start_gateway_for_module: StartGateway, line: DatabaseProxy) -> Gateway:
    return start_gateway_for_module(LEDGER_DATABASE_URL=line.url)


@pytest.fixture(scope="module")
def priced(server: Gateway, provider: Provider) -> Model:
    return served(server, factories.a_model(factories.a_provider(provider.base_url), price=PRICE))


@pytest.fixture
def caller(server: Gateway, line: DatabaseProxy, sandbox: Sandbox, priced: Model) -> Caller:
    eventually(server.is_ready)
    return books.with_budgets(a_caller(server, priced))


def cost_of_all(records: list[dict[str, Any]]) -> int:
    return sum(record.get("cost_nano", 0) for record in records)


@pytest.mark.parametrize("knobs", [PACED, AT_ONCE, IN_ONE], ids=["at a pace", "all at once", "in one piece"])
@pytest.mark.parametrize("streams", [1, 20], ids=["one stream", "twenty streams"])
def test_streams_do_not_outrun_a_budget(
    server: Gateway, sandbox: Sandbox, priced: Model, knobs: dict[str, int], streams: int
) -> None:
    caller = a_caller(server, priced)
    limit_nano = int(2.5 * SLICE_TOKENS) * NANO_PER_TOKEN * max(streams // 4, 1)
    factories.a_budget(caller.tenant, period="total", limit_nano=limit_nano)
    asked = crowd.Asked(caller, caller.body(stream=True, sandbox=knobs))
    statuses = asyncio.run(crowd.ask([asked] * streams, at_once=streams))
    assert set(statuses) <= {200, 429}
    records = books.balanced(caller)
    assert 0 < cost_of_all(records) <= limit_nano
    assert len(sandbox.requests()) == books.reached(records) == statuses.count(200)


def test_who_is_killed_after_an_extension_is_charged_for_it_too(
    start_gateway: StartGateway, sandbox: Sandbox, priced: Model
) -> None:
    caller = books.with_budgets(a_caller(start_gateway(), priced))
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, sandbox=PACED))
        eventually(lambda: ledger.held_output_of(caller.tenant) == 2 * SLICE_TOKENS)
        caller.gateway.kill()
    (record,) = books.swept(caller)
    assert (record["outcome"], record["output_tokens"]) == ("swept", 2 * SLICE_TOKENS)
    assert record["cost_nano"] == 2 * SLICE_TOKENS * NANO_PER_TOKEN


@pytest.mark.parametrize("what", Held, ids=["on its way", "on its way back"])
def test_an_extension_that_is_lost_is_asked_for_again_and_let_go_of_at_the_end(
    caller: Caller, line: DatabaseProxy, what: Held
) -> None:
    line.hold("extend", what)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, sandbox=PACED))
        line.wait_until_held()
        line.cut()
        line.restore()
        rest = raw.read_to_the_end(connection)
    assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 3_000, False)
    eventually(lambda: caller.post().status_code == 200)  # the line of admissions was cut as well


@pytest.mark.parametrize("what", Held, ids=["before the ledger is asked", "before its answer"])
def test_who_leaves_while_more_is_asked_for_pays_for_what_was_relayed(
    caller: Caller, line: DatabaseProxy, what: Held
) -> None:
    line.hold("extend", what)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, sandbox={**PACED, "chunk_ms": 20}))
        line.wait_until_held()
    eventually(lambda: ledger.usages_of(caller.tenant))
    line.release()
    (record,) = books.balanced(caller)
    assert record["outcome"] == "client_left"
    assert SLICE_TOKENS // 2 <= record["output_tokens"] <= SLICE_TOKENS
