"""What the gateway tells its ledger counts once, however often it must say it, and whoever was there before it."""

import asyncio
import threading
from collections.abc import Iterator

import psycopg
import pytest

from config.asgi import libpq_params
from gateway.models import Model
from tests.system import books, crowd, ledger, raw
from tests.system.clients import Caller, a_caller
from tests.system.conftest import StartGateway
from tests.system.pgproxy import DatabaseProxy, Held, database_proxy
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

RACES = 800
AT_ONCE = 16


@pytest.fixture(scope="module")
def line(databases: None) -> Iterator[DatabaseProxy]:
    """The gateway's way to its ledger."""
    with database_proxy("ledger") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(start_gateway_for_module: StartGateway, line: DatabaseProxy) -> Gateway:
    return start_gateway_for_module(LEDGER_DATABASE_URL=line.url)


@pytest.fixture
def caller(server: Gateway, line: DatabaseProxy, sandbox: Sandbox, model: Model) -> Caller:
    """An application with budgets, at a gateway that has its ledger."""
    eventually(server.is_ready)
    return books.with_budgets(a_caller(server, model))


# --- said twice ----------------------------------------------------------------------------------------------------


def test_a_settlement_whose_answer_was_lost_is_repeated_and_counts_once(caller: Caller, line: DatabaseProxy) -> None:
    line.hold("settle", Held.ANSWERS, mention=caller.in_records)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, max_tokens=10, sandbox={"tokens": 5}))
        line.wait_until_held()
        line.cut()
        line.restore()
        assert raw.read_contents(connection, 1), "its client has an answer all the same"
    is_paid_once(caller, tokens=5)


def test_a_settlement_that_was_lost_on_its_way_is_repeated(caller: Caller, line: DatabaseProxy) -> None:
    line.hold("settle", Held.CALLS, mention=caller.in_records)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, max_tokens=10, sandbox={"tokens": 5}))
        line.wait_until_held()
        line.cut()
        line.restore()
        assert raw.read_contents(connection, 1)
    is_paid_once(caller, tokens=5)


def test_a_settlement_is_repeated_while_the_first_is_still_at_work(caller: Caller, line: DatabaseProxy) -> None:
    line.hold("settle", Held.CALLS, mention=caller.in_records)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, max_tokens=10, sandbox={"tokens": 5}))
        line.wait_until_held()
        with ledger.locked_meters_of(caller.tenant):
            line.release()
            ledger.wait_for_blocked("settle")
            line.cut()
            line.restore()
            ledger.wait_for_blocked("settle", count=2)
    is_paid_once(caller, tokens=5)


def is_paid_once(caller: Caller, *, tokens: int) -> None:
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", tokens, False)
    eventually(lambda: caller.post().status_code == 200)


# --- admissions that nobody knows of -------------------------------------------------------------------------------


def test_an_admission_whose_answer_was_lost_is_taken_back(
    caller: Caller, line: DatabaseProxy, sandbox: Sandbox
) -> None:
    line.hold("admit", Held.ANSWERS)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller))
        line.wait_until_held()
        assert ledger.holds_of(caller.tenant) == 1
        line.cut()
        line.restore()
        assert raw.read_answer(connection).status == 503
    eventually(lambda: [record["outcome"] for record in books.balanced(caller)] == ["refused"])
    assert sandbox.requests() == []


def test_an_admission_that_comes_after_the_gateway_has_given_it_up_is_taken_back(
    caller: Caller, line: DatabaseProxy, sandbox: Sandbox
) -> None:
    """The ledger still works on it when the connection breaks; what it then holds, nobody knows of."""
    caller.ask()
    with raw.connected(caller.gateway) as connection:
        with ledger.locked_meters_of(caller.tenant):
            connection.sendall(raw.asking(caller))
            ledger.wait_for_blocked("admit")
            line.cut()
            line.restore()
            assert raw.read_answer(connection).status == 503
            eventually(caller.gateway.is_ready)
        eventually(lambda: not ledger.calls("admit"))
    records = {record["outcome"]: record for record in books.balanced(caller)}
    assert records.keys() <= {"completed", "refused"}
    assert len(sandbox.requests()) == 1


# --- swept meanwhile -----------------------------------------------------------------------------------------------


def test_a_request_that_was_swept_while_it_ran_is_not_charged_again(
    caller: Caller, line: DatabaseProxy, sandbox: Sandbox
) -> None:
    line.hold("settle", Held.CALLS, mention=caller.in_records)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, max_tokens=10, sandbox={"tokens": 5}))
        line.wait_until_held()
        ledger.expire_holds_of(caller.tenant)
        line.release()
        raw.read_contents(connection, 5)
    assert sandbox.only_request()["tokens_sent"] == 5
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["output_tokens"]) == ("swept", 10)


def test_sweeping_and_settling_race_for_each_request_and_one_of_them_wins(caller: Caller, sandbox: Sandbox) -> None:
    stop = threading.Event()
    sweeper = threading.Thread(target=_sweep_all_the_time, args=(caller.tenant.pk, stop))
    sweeper.start()
    try:
        body = caller.body(max_tokens=10, sandbox={"tokens": 5})
        statuses = asyncio.run(crowd.ask([crowd.Asked(caller, body)] * RACES, at_once=AT_ONCE))
    finally:
        stop.set()
        sweeper.join()
    assert set(statuses) == {200}
    records = books.balanced(caller)
    assert len(records) == len(sandbox.requests()) == RACES
    assert {record["outcome"] for record in records} == {"swept", "completed"}, "both have won now and then"


def _sweep_all_the_time(tenant_id: int, stop: threading.Event) -> None:
    """Sweeps every hold of the tenant, as if all had outlived their leases."""
    expire = """
        UPDATE hold SET expires_at = '-infinity' WHERE request_id IN (
            SELECT request_id FROM hold WHERE tenant_id = %s ORDER BY request_id FOR UPDATE SKIP LOCKED)
    """  # waits for nobody, so that it cannot be waited for in a circle
    with psycopg.connect(**libpq_params("ledger"), autocommit=True) as connection:
        while not stop.is_set():
            connection.execute(expire, [tenant_id])
            connection.execute("SELECT sweep(2)")
