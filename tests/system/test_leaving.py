"""Clients that leave, at whatever point, pay for what was made until then: to the token that the gateway saw."""

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.models import Model
from gateway.tokens import count_tokens
from tests.system import books, ledger, raw
from tests.system.clients import Caller, a_caller, unguarded
from tests.system.conftest import StartGateway
from tests.system.pgproxy import DatabaseProxy, Held, database_proxy
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

PRICE_IN, PRICE_OUT = 150, 600  # nano-dollars per token, of `factories.a_model`

SCRIPTS = {
    "English": "The ferry leaves the harbor before the morning fog lifts, and nobody waits for it.",
    "German": "Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnung gilt hier.",
    "Chinese": "渡轮在晨雾散去之前离开港口，没有人等它。孩子们在冰冻的湖面上滑冰。",
    "emoji": "🧑‍🚀🟢👩🏽‍🔬 ok 🇩🇪 🇯🇵 done ✅✅✅ and more 🧵🪡",
    "code": "def f(x):\n    return {'a': x[0] ** 2, 'b': [y for y in x if y > 0]}\n\n\nprint(f([1, 2]))",
}


@pytest.fixture(scope="module")
def line(databases: None) -> Iterator[DatabaseProxy]:
    """The gateway's way to its ledger."""
    with database_proxy("ledger") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(start_gateway_for_module: StartGateway, line: DatabaseProxy) -> Gateway:
    return start_gateway_for_module(LEDGER_DATABASE_URL=line.url)


@pytest.fixture
def caller(server: Gateway, sandbox: Sandbox, model: Model) -> Caller:
    """What guards hold back was made, and is paid for, but is not relayed yet: so without them."""
    return books.with_budgets(unguarded(a_caller(server, model)))


def reset(connection: socket.socket) -> None:
    """Leaves without a word, as a process does that is killed with its answer unread."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# --- before the first byte -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", Held, ids=["before it is asked for", "before it is known"])
def test_who_leaves_before_the_admission_pays_nothing(
    caller: Caller, line: DatabaseProxy, sandbox: Sandbox, what: Held, streamed: bool
) -> None:
    line.hold("admit", what)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=streamed))
        line.wait_until_held()
        reset(connection)
    eventually(lambda: any(said.get("tenant") == caller.tenant.slug for said in caller.gateway.log_lines()))  # it knows
    line.release()
    record = ledger.only_usage_of(caller.tenant)
    assert (record["outcome"], record["cost_nano"], sandbox.requests()) == ("client_left", 0, [])
    assert books.balanced(caller) == [record]


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["closed", "reset"])
def test_who_leaves_a_stream_before_its_first_byte_pays_for_the_prompt(
    caller: Caller, sandbox: Sandbox, leave: Any
) -> None:
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, sandbox={"hang": True}))
        sandbox.wait_for_running(1)
        leave(connection)
    assert sandbox.only_request()["state"] == "cancelled"
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("client_left", 0, True)
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN > 0


# --- in the middle -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["closed", "reset"])
def test_who_leaves_a_stream_pays_for_the_text_that_was_relayed(caller: Caller, script: str, leave: Any) -> None:
    knobs = {"text": SCRIPTS[script], "chunks": 10, "chunk_ms": 150}
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, sandbox=knobs))
        relayed = "".join(raw.read_contents(connection, 4))
        leave(connection)
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["estimated"]) == ("client_left", True)
    assert record["output_tokens"] == count_tokens(relayed, "o200k_base") > 0
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN + record["output_tokens"] * PRICE_OUT


def test_who_leaves_several_choices_pays_for_all_of_them(caller: Caller, sandbox: Sandbox) -> None:
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, n=3, sandbox={"tokens": 30, "chunk_ms": 150}))
        raw.read_contents(connection, 6)
        connection.close()
    (record,) = books.balanced(caller)
    assert record["outcome"] == "client_left"
    assert record["output_tokens"] == sandbox.only_request()["tokens_sent"] == 6


def test_who_does_not_read_pays_for_what_the_gateway_has_taken(caller: Caller, sandbox: Sandbox) -> None:
    """The stream backs up to the upstream; what lies on the way there was not seen by the gateway."""
    with raw.connected(caller.gateway) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(raw.asking(caller, stream=True, max_tokens=4000, sandbox={"tokens": 4000, "chunk_ms": 1}))
        received = len(raw.read_contents(connection, 1))
        eventually(lambda: sandbox.requests()[0]["tokens_sent"] > 1000)
        reset(connection)
    (record,) = books.balanced(caller)
    assert record["outcome"] == "client_left"
    assert received < record["output_tokens"] <= sandbox.only_request()["tokens_sent"]


# --- at the last chunk ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["closed", "reset"])
def test_who_leaves_with_the_last_word_pays_for_all_words(caller: Caller, sandbox: Sandbox, leave: Any) -> None:
    """The end and the usage are still to come."""
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=True, sandbox={"tokens": 6, "chunk_ms": 150}))
        raw.read_contents(connection, 6)
        leave(connection)
    (record,) = books.balanced(caller)
    assert sandbox.only_request()["state"] == "cancelled"
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("client_left", 6, True)


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["closed", "reset"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_who_leaves_while_the_answer_is_settled_pays_what_the_upstream_reported(
    caller: Caller, line: DatabaseProxy, streamed: bool, leave: Any
) -> None:
    line.hold("settle", Held.ANSWERS, mention=caller.in_records)
    with raw.connected(caller.gateway) as connection:
        connection.sendall(raw.asking(caller, stream=streamed, sandbox={"tokens": 6}))
        line.wait_until_held()
        leave(connection)
    line.release()
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 6, False)
    assert caller.post().status_code == 200


def test_whoever_leaves_when_the_end_arrives_is_charged_the_same(caller: Caller, sandbox: Sandbox) -> None:
    """Whether the gateway sees the end or the client leave first, one record says what was made, or was reported."""
    rounds = 40
    for number in range(rounds):
        with raw.connected(caller.gateway) as connection:
            connection.sendall(raw.asking(caller, stream=True, sandbox={"tokens": 6, "chunk_ms": 3}))
            raw.read_contents(connection, 6)
            (reset if number % 2 else socket.socket.close)(connection)
    sandbox.wait_for_running(0)
    eventually(lambda: len(books.balanced(caller)) == rounds)
    records = books.balanced(caller)
    assert {record["outcome"] for record in records} <= {"completed", "client_left"}
    assert {record["output_tokens"] for record in records} == {6}
    assert len(sandbox.requests()) == books.reached(records) == rounds
