"""Streams flow as they come, end as they should, and are paid for whatever becomes of them."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import aiohttp
import openai
import psycopg
import pytest
from django.db import connections

from config.asgi import libpq_params
from gateway.models import Model
from tests.system import ledger
from tests.system.clients import Caller, a_caller, unguarded
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _without_guards(acme: Caller) -> None:
    unguarded(acme)


PRICE_IN, PRICE_OUT = 150, 600  # nano-dollars per token, of `factories.a_model`


def read_into(texts: list[str], stream: Any) -> None:
    """Adds each piece of content as it comes."""
    for chunk in stream:
        texts.extend(choice.delta.content for choice in chunk.choices if choice.delta.content)


@contextmanager
def streaming(caller: Caller, **fields: Any) -> Iterator[Any]:
    with (
        caller.sdk() as client,
        client.chat.completions.create(**caller.completion(stream=True, **fields)) as stream,
    ):
        yield stream


def request_id_of(stream: Any) -> str:
    return str(stream.response.headers["x-request-id"])


# --- as they come --------------------------------------------------------------------------------------------------


def test_each_chunk_is_passed_on_before_the_next_one_is_made(acme: Caller, sandbox: Sandbox) -> None:
    with streaming(acme, knobs={"tokens": 6, "chunk_ms": 300}) as stream:
        sent = []
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                sent.append(sandbox.requests()[0]["tokens_sent"])
    assert sent == [1, 2, 3, 4, 5, 6]


def test_the_beginning_is_passed_on_before_anything_was_said(acme: Caller, sandbox: Sandbox) -> None:
    with streaming(acme, knobs={"tokens": 1, "chunk_ms": 400}) as stream:
        first = next(stream)
        assert first.choices[0].delta.role == "assistant"
        assert sandbox.requests()[0]["tokens_sent"] == 0


def test_the_first_byte_comes_within_20_ms_of_the_upstreams(acme: Caller, sandbox: Sandbox) -> None:
    """Both are timed in one process; the best of a few, because other programs run on this machine too."""
    delays_ms = []
    for _ in range(5):
        sandbox.forget()
        with closing(connect(acme.gateway)) as connection:
            connection.sendall(raw_request(acme, acme.body(stream=True, sandbox={"tokens": 1, "latency_ms": 30})))
            connection.recv(1)
            arrived = time.time()
        delays_ms.append((arrived - sandbox.only_request()["started_at"]) * 1000 - 30)
    assert min(delays_ms) < 20


def test_what_arrives_is_what_the_upstream_sent_event_by_event(acme: Caller) -> None:
    answer = acme.post(acme.body(stream=True, sandbox={"text": "Grün — 緑 🟢", "chunk_ms": 1}))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    *events, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "Grün — 緑 🟢"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


# --- clients that leave --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 5], ids=["after one chunk", "after five chunks"])
def test_a_client_that_leaves_cancels_the_upstream_and_pays_for_what_was_made(
    acme: Caller, sandbox: Sandbox, after: int
) -> None:
    with streaming(acme, knobs={"tokens": 1000, "chunk_ms": 100}) as stream:
        contents = (chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
        for _ in range(after):
            next(contents)
    record = ledger.usage_of(request_id_of(stream))
    upstream = sandbox.only_request()
    assert upstream["state"] == "cancelled"
    assert (record["outcome"], record["status"], record["estimated"]) == ("client_left", 499, True)
    assert record["output_tokens"] == upstream["tokens_sent"] == after
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN + after * PRICE_OUT
    assert (ledger.holds_of(acme.tenant), ledger.held_by(acme.tenant)) == (0, 0)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("knobs", [{"hang": True}, {"latency_ms": 60_000}], ids=["hanging", "slow"])
def test_a_client_that_leaves_before_the_answer_begins(
    acme: Caller, sandbox: Sandbox, streamed: bool, knobs: dict[str, Any]
) -> None:
    with closing(connect(acme.gateway)) as connection:
        connection.sendall(raw_request(acme, acme.body(stream=streamed, sandbox=knobs)))
        sandbox.wait_for_running(1)
    record = ledger.only_usage_of(acme.tenant)
    assert sandbox.only_request()["state"] == "cancelled"
    assert (record["outcome"], record["estimated"]) == ("client_left", True)
    # Of a stream nothing was written; of a whole answer as much as could be, in the moment that it had.
    assert record["output_tokens"] == 0 if streamed else record["output_tokens"] < 2_000
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN + record["output_tokens"] * PRICE_OUT > 0
    assert (ledger.holds_of(acme.tenant), ledger.held_by(acme.tenant)) == (0, 0)


def test_a_client_that_leaves_as_soon_as_it_has_asked(acme: Caller, sandbox: Sandbox) -> None:
    """At whatever point that finds the request, nothing stays held and nothing runs on."""
    for delay_ms in range(30):
        with closing(connect(acme.gateway)) as connection:
            connection.sendall(raw_request(acme, acme.body(stream=delay_ms % 2 == 0, sandbox={"hang": True})))
            time.sleep(delay_ms / 1000)
    sandbox.wait_for_running(0)
    eventually(lambda: ledger.holds_of(acme.tenant) == 0)
    assert ledger.held_by(acme.tenant) == 0
    assert {record["outcome"] for record in ledger.usages_of(acme.tenant)} == {"client_left"}
    sandbox.wait_for_running(0)
    assert acme.ask().choices


# --- upstreams that break off --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "made"),
    [
        ({"cut_after_chunks": 3}, 3),
        ({"cut_after_chunks": 3, "chunk_ms": 20}, 3),
        ({"error_after_chunks": 2}, 2),
        ({"malformed": True}, 1),
    ],
    ids=["cut", "cut at a pace", "error event", "malformed event"],
)
def test_a_stream_that_breaks_off_is_an_error_and_not_a_short_answer(
    acme: Caller, knobs: dict[str, Any], made: int
) -> None:
    texts: list[str] = []
    with streaming(acme, knobs=knobs) as stream, pytest.raises(openai.APIError) as failure:
        read_into(texts, stream)
    assert failure.value.code == "upstream_error"
    assert not isinstance(failure.value, openai.APIConnectionError)
    record = ledger.usage_of(request_id_of(stream))
    assert (record["outcome"], record["code"], record["estimated"]) == ("cut", "upstream_error", True)
    assert len(texts) <= record["output_tokens"] <= made
    assert record["cost_nano"] == record["input_tokens"] * PRICE_IN + record["output_tokens"] * PRICE_OUT
    assert (ledger.holds_of(acme.tenant), ledger.held_by(acme.tenant)) == (0, 0)


def test_what_arrived_before_the_break_reaches_the_client(acme: Caller) -> None:
    texts: list[str] = []
    with streaming(acme, knobs={"cut_after_chunks": 4, "chunk_ms": 30}) as stream, pytest.raises(openai.APIError):
        read_into(texts, stream)
    assert len(texts) == 4


def test_an_upstream_that_reports_no_usage_is_counted(acme: Caller) -> None:
    with streaming(acme, knobs={"tokens": 25, "no_usage": True}) as stream:
        list(stream)
    record = ledger.usage_of(request_id_of(stream))
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 25, True)


def test_usage_that_makes_no_sense_is_neither_charged_nor_passed_on_unasked(acme: Caller) -> None:
    with streaming(acme, knobs={"tokens": 25, "cached_tokens": 100_000}) as stream:
        assert all(chunk.choices for chunk in stream)
    record = ledger.usage_of(request_id_of(stream))
    assert (record["output_tokens"], record["cached_input_tokens"], record["estimated"]) == (25, 0, True)


def test_a_whole_answer_without_usage_is_counted(acme: Caller) -> None:
    record = ledger.usage_of(acme.ask(knobs={"tokens": 25, "no_usage": True})._request_id)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 25, True)


# --- many ----------------------------------------------------------------------------------------------------------


def test_300_streams_at_once_hold_no_database_connections(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    caller = unguarded(a_caller(gateway, model))
    body = caller.body(stream=True, sandbox={"tokens": 12, "chunk_ms": 400})

    async def one(session: aiohttp.ClientSession) -> int:
        async with session.post(f"{gateway.base_url}/chat/completions", json=body) as answer:
            text = await answer.text()
        assert text.endswith("data: [DONE]\n\n")
        return text.count('"content":') - 1

    async def story() -> list[int]:
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(headers=caller.authorization, connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
            streams = [group.create_task(one(session)) for _ in range(300)]
            await asyncio.to_thread(sandbox.wait_for_running, 300)
            counts.append(await asyncio.to_thread(database_connections))
        return [stream.result() for stream in streams]

    caller.ask()
    counts = [database_connections()]
    assert asyncio.run(story()) == [12] * 300
    before, during = counts
    assert during <= before
    assert len(ledger.usages_of(caller.tenant)) == 301
    assert (ledger.holds_of(caller.tenant), ledger.held_by(caller.tenant)) == (0, 0)


def database_connections() -> int:
    """Connections to both databases, of all who use them but this function."""
    names = [connections[alias].settings_dict["NAME"] for alias in ("default", "ledger")]
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()"
    with psycopg.connect(**libpq_params("default")) as connection:
        row = connection.execute(statement, [names]).fetchone()
    assert row is not None
    return int(row[0])


# --- raw -----------------------------------------------------------------------------------------------------------


def connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(gateway.address, timeout=30)


def raw_request(caller: Caller, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {caller.secret}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content
