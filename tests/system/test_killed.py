"""A gateway that is killed takes no money with it: what it had sent is charged once, whatever it was about to do."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.models import Model
from tests.system import books, crowd, ledger, raw
from tests.system.clients import Caller, a_caller
from tests.system.conftest import StartGateway
from tests.system.pgproxy import DatabaseProxy, Held, database_proxy
from tests.system.processes import Sandbox

pytestmark = pytest.mark.system

PRICE_IN, PRICE_OUT = 150, 600  # nano-dollars per token, of `factories.a_model`


@pytest.fixture(scope="module")
def line(databases: None) -> Iterator[DatabaseProxy]:
    """The gateway's way to its ledger."""
    with database_proxy("ledger") as proxy:
        yield proxy


@pytest.fixture
def caller(start_gateway: StartGateway, line: DatabaseProxy, sandbox: Sandbox, model: Model) -> Caller:
    """An application with budgets, at a gateway of its own."""
    return books.with_budgets(a_caller(start_gateway(LEDGER_DATABASE_URL=line.url), model))


def test_before_anything_was_sent(caller: Caller, line: DatabaseProxy, sandbox: Sandbox) -> None:
    """Nobody knows then that nothing was sent, so the hold is charged."""
    line.hold("admit", Held.ANSWERS)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, max_tokens=10))
        line.wait_until_held()
        caller.gateway.kill()
    line.release()
    (record,) = books.swept(caller)
    assert sandbox.requests() == []
    assert (record["outcome"], record["estimated"], record["output_tokens"]) == ("swept", True, 10)
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN + 10 * PRICE_OUT


def test_before_its_admission_was_asked_for(caller: Caller, line: DatabaseProxy, sandbox: Sandbox) -> None:
    line.hold("admit", Held.CALLS)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller))
        line.wait_until_held()
        caller.gateway.kill()
    line.cut()
    line.restore()
    assert ledger.usages_of(caller.tenant) == sandbox.requests() == []
    assert (ledger.holds_of(caller.tenant), ledger.held_by(caller.tenant)) == (0, 0)


def test_in_the_middle_of_a_stream(caller: Caller, sandbox: Sandbox) -> None:
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, max_tokens=50, sandbox={"tokens": 50, "chunk_ms": 100}))
        assert raw.read_contents(connection, 3)
        caller.gateway.kill()
    assert sandbox.only_request()["state"] == "cancelled"
    (record,) = books.swept(caller)
    assert (record["outcome"], record["estimated"], record["output_tokens"]) == ("swept", True, 50)
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN + 50 * PRICE_OUT


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_between_answer_and_settlement(caller: Caller, line: DatabaseProxy, sandbox: Sandbox, streamed: bool) -> None:
    """The client has its answer; the ledger was never told."""
    line.hold("settle", Held.CALLS)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=streamed, max_tokens=10, sandbox={"tokens": 5}))
        line.wait_until_held()
        assert raw.read_contents(connection, 1), "an answer does not wait for long"
        caller.gateway.kill()
    line.cut()
    line.restore()
    assert ledger.holds_of(caller.tenant) == 1
    assert sandbox.only_request()["state"] == "completed"
    (record,) = books.swept(caller)
    assert (record["outcome"], record["output_tokens"]) == ("swept", 10)


def test_while_the_ledger_settles(caller: Caller, line: DatabaseProxy) -> None:
    """The ledger finishes what it was told, though nobody waits for it any more; the sweep finds nothing to do."""
    line.hold("settle", Held.CALLS)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, max_tokens=10, sandbox={"tokens": 5}))
        line.wait_until_held()
        with ledger.locked_meters_of(caller.tenant):
            line.release()
            ledger.wait_for_blocked("settle")
            caller.gateway.kill()
    (record,) = books.swept(caller)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 5, False)


def test_after_the_ledger_has_settled(caller: Caller, line: DatabaseProxy) -> None:
    line.hold("settle", Held.ANSWERS)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, max_tokens=10, sandbox={"tokens": 5}))
        line.wait_until_held()
        caller.gateway.kill()
    line.release()
    (record,) = books.swept(caller)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 5, False)


def test_with_a_hundred_requests_under_way(caller: Caller, sandbox: Sandbox) -> None:
    """Wherever each of them is, it is paid once."""
    brief = caller.body(max_tokens=20, sandbox={"tokens": 10})
    waits = caller.body(max_tokens=20, sandbox={"hang": True})
    streams = caller.body(max_tokens=20, stream=True, sandbox={"tokens": 20, "chunk_ms": 400})
    requests = [crowd.Asked(caller, body) for body in (brief, waits, streams) for _ in range(100)]

    def killed() -> None:
        sandbox.wait_for_running(100)
        caller.gateway.kill()

    statuses, _ = asyncio.run(crowd.ask_until(killed, requests, at_once=100))
    records = books.swept(caller)
    assert set(statuses) == {200, crowd.BROKEN}
    assert len(sandbox.requests()) <= len(records) == books.reached(records) < len(requests)
    assert {record["outcome"] for record in records} == {"completed", "swept"}
