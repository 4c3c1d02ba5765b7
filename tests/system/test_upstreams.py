"""Upstreams that fail: whatever may have been billed there is charged here, once, and nothing else is."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.models import Model, Provider
from tests import factories
from tests.system import books, crowd, raw
from tests.system.clients import Caller, a_caller, served, unguarded
from tests.system.processes import Gateway, Sandbox, closing_all

pytestmark = pytest.mark.system


PRICE_IN, PRICE_OUT = 150, 600  # nano-dollars per token, of `factories.a_model`


@pytest.fixture
def caller(gateway: Gateway, sandbox: Sandbox, model: Model) -> Caller:
    return books.with_budgets(unguarded(a_caller(gateway, model)))


# --- they say nothing, or not enough -------------------------------------------------------------------------------

BROKEN: list[tuple[dict[str, Any], str, int]] = [
    ({"stream": True, "sandbox": {"cut": True}}, "upstream_error", 0),
    ({"sandbox": {"cut": True}}, "upstream_error", 0),
    ({"sandbox": {"cut_after_chunks": 3}}, "upstream_error", 0),
    ({"stream": True, "sandbox": {"cut_after_chunks": 0}}, "cut", 0),
    ({"stream": True, "sandbox": {"cut_after_chunks": 7, "chunk_ms": 20}}, "cut", 7),
    ({"stream": True, "sandbox": {"error_after_chunks": 7, "chunk_ms": 20}}, "cut", 7),
    ({"stream": True, "sandbox": {"tokens": 7, "no_usage": True}}, "completed", 7),
    ({"sandbox": {"tokens": 7, "no_usage": True}}, "completed", 7),
    ({"stream": True, "n": 2, "sandbox": {"tokens": 7, "no_usage": True}}, "completed", 14),
    ({"stream": True, "sandbox": {"tokens": 7, "cached_tokens": 10**6}}, "completed", 7),
]
IDS = [
    *("stream cut before it began", "answer cut before it began", "answer cut in half", "stream cut before a word"),
    *("stream cut after 7 words", "error after 7 words", "stream without usage", "answer without usage"),
    *("two choices without usage", "usage that makes no sense"),
]


@pytest.mark.parametrize(("fields", "outcome", "made"), BROKEN, ids=IDS)
def test_what_was_seen_is_charged_to_all_budgets(
    caller: Caller, sandbox: Sandbox, fields: dict[str, Any], outcome: str, made: int
) -> None:
    caller.post(caller.body(max_tokens=50, **fields))
    (record,) = books.balanced(caller)
    assert len(sandbox.requests()) == 1
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == (outcome, made, True)
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN + made * PRICE_OUT > 0


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_an_error_instead_of_an_answer_costs_nothing(caller: Caller, status: int) -> None:
    caller.post(caller.body(sandbox={"status": status}))
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["cost_nano"]) == ("upstream_error", 0)


def test_an_upstream_that_cannot_be_reached_costs_nothing(gateway: Gateway) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # so that nobody else listens there
        provider = factories.a_provider(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
        caller = books.with_budgets(a_caller(gateway, served(gateway, factories.a_model(provider))))
        assert caller.post().status_code == 503
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["cost_nano"], record["output_tokens"]) == ("upstream_error", 0, 0)


# --- they are killed -----------------------------------------------------------------------------------------------


@pytest.fixture
def mortal(databases: None, tmp_path: Path) -> Iterator[Sandbox]:
    """An upstream of its own, that may be killed."""
    sandbox = Sandbox(tmp_path / "sandbox.log")
    with closing_all([sandbox]):
        yield sandbox


@pytest.fixture
def endangered(gateway: Gateway, mortal: Sandbox) -> Caller:
    """An application with budgets whose model only that upstream serves."""
    provider: Provider = factories.a_provider(mortal.base_url)
    return books.with_budgets(unguarded(a_caller(gateway, served(gateway, factories.a_model(provider)))))


def kill(sandbox: Sandbox) -> None:
    sandbox.process.kill()
    sandbox.process.wait()


def test_an_upstream_that_is_killed_in_the_middle_is_paid_for_what_it_said(endangered: Caller, mortal: Sandbox) -> None:
    with raw.connected(endangered.gateway) as connection:
        connection.sendall(raw.asking(endangered, stream=True, sandbox={"tokens": 500, "chunk_ms": 150}))
        said = raw.read_contents(connection, 4)
        kill(mortal)
        rest = raw.read_to_the_end(connection)
    assert b"upstream_error" in rest
    (record,) = books.balanced(endangered)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("cut", len(said), True)


def test_an_upstream_that_is_killed_under_load_leaves_nothing_unrecorded(endangered: Caller, mortal: Sandbox) -> None:
    streams = endangered.body(max_tokens=50, stream=True, sandbox={"tokens": 50, "chunk_ms": 40})
    waits = endangered.body(max_tokens=50, sandbox={"latency_ms": 20_000})
    requests = [crowd.Asked(endangered, body) for body in (streams, waits) for _ in range(30)]
    killing = crowd.ask_until(lambda: killed_with(mortal, running=60), requests, at_once=60)
    _, reached = asyncio.run(killing)
    records = books.balanced(endangered)
    assert reached == len(records) == books.reached(records) == 60
    assert {record["outcome"] for record in records} == {"cut", "upstream_error"}


def killed_with(sandbox: Sandbox, *, running: int) -> int:
    """Kills the upstream as soon as so many requests run there; returns how many had reached it."""
    sandbox.wait_for_running(running)
    reached = len(sandbox.requests())
    kill(sandbox)
    return reached
