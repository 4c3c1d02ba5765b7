"""Answers that have not the form that was asked for: refused, or asked for once more, whole and streamed."""

import asyncio
import json
import time
from typing import Any

import pytest

from gateway.guards.base import Action
from gateway.guards.output_format import Expected, Fault
from gateway.stages import admit, conform
from tests.factories.guards import a_guard_policy, a_guard_rule
from tests.integration.data.world import Client, Story, World, there
from tests.system import ledger

PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
AS_PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
GOOD, BAD = '{"age":36}', '{"age":"Lovelace"}'
WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


async def asked(world: World, *, streamed: bool = False, knobs: dict[str, Any], **fields: Any) -> Client:
    client = world.request(stream=streamed, sandbox=knobs, **{"response_format": AS_PERSON, **fields})
    await client.run()
    return client


async def policy(world: World, action: Action = Action.BLOCK, on_error: str = "block", **settings: Any) -> None:
    rule = a_guard_rule("output_format", action, on_error=on_error, settings=settings)
    await there(a_guard_policy, world.tenant, rules=(rule,))


def text_of(client: Client) -> str:
    """What the client got to read."""
    if not client.headers[b"content-type"].startswith(b"text/event-stream"):
        return str(json.loads(client.body)["choices"][0]["message"]["content"])
    events = [line[6:] for line in client.body.decode().split("\n\n") if line.startswith("data: {")]
    chunks = [json.loads(event) for event in events]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def decisions(client: Client, world: World) -> list[tuple[str, str, str]]:
    """What was decided about a request: guard, rule and direction."""
    rows = [row for row in world.decided if str(row["request_id"]) == client.request_id]
    return [(row["guard"], row["rule"], row["direction"]) for row in rows]


@WAYS
def test_what_has_the_form_goes_out_as_it_came(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world)
        client = await asked(world, streamed=streamed, knobs={"text": GOOD})
        assert (client.status, text_of(client)) == (200, GOOD)
        assert decisions(client, world) == []

    story(tell)


@WAYS
def test_what_has_not_is_refused_and_charged(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world)
        client = await asked(world, streamed=streamed, knobs={"text": BAD})
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert b"output_format" in client.body
        assert b"Lovelace" not in client.body
        record = await there(ledger.usage_of, client.request_id)
        assert (record["outcome"], record["code"]) == ("blocked", "content_policy_violation")
        assert record["output_tokens"] > 0
        assert await there(ledger.held_by, world.tenant) == 0
        assert decisions(client, world) == [("output_format", "schema_violated", "answer")]

    story(tell)


@WAYS
def test_the_model_is_asked_once_more_and_both_calls_are_charged(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, retry=True)
        client = await asked(world, streamed=streamed, knobs={"text": BAD, "again": GOOD})
        assert (client.status, text_of(client)) == (200, GOOD)
        first, second = await world.upstream_bodies()
        assert second["messages"][:-2] == first["messages"]
        assert second["messages"][-2] == {"role": "assistant", "content": BAD}
        assert "JSON Schema" in second["messages"][-1]["content"]
        assert {**second, "messages": first["messages"]} == first
        record = await there(ledger.usage_of, client.request_id)
        assert (record["outcome"], record["estimated"]) == ("completed", False)
        once = await asked(world, streamed=streamed, knobs={"text": GOOD})
        alone = await there(ledger.usage_of, once.request_id)
        assert record["input_tokens"] > 2 * alone["input_tokens"]
        assert record["output_tokens"] > alone["output_tokens"]
        assert record["cost_nano"] == record["input_tokens"] * 150 + record["output_tokens"] * 600
        assert await there(ledger.held_by, world.tenant) == 0

    story(tell)


@WAYS
def test_what_is_wrong_twice_is_refused_and_charged_twice(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, retry=True)
        client = await asked(world, streamed=streamed, knobs={"text": BAD})
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert len(await world.upstream_bodies()) == 2
        record = await there(ledger.usage_of, client.request_id)
        once = await asked(world, streamed=streamed, knobs={"text": GOOD})
        assert record["cost_nano"] > 2 * (await there(ledger.usage_of, once.request_id))["cost_nano"]

    story(tell)


@WAYS
def test_a_second_call_that_fails_is_told_and_the_first_is_charged(
    story: Story, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    async def tell(world: World) -> None:
        await policy(world, retry=True)
        post, calls = world.plane.upstream.post, []

        async def failing(url: str, body: bytes, **named: Any) -> Any:
            calls.append(url)
            sent = json.loads(body)
            if len(calls) == 2:
                sent["sandbox"] = {"status": 500}
            return await post(url, json.dumps(sent).encode(), **named)

        monkeypatch.setattr(world.plane.upstream, "post", failing)
        client = await asked(world, streamed=streamed, knobs={"text": BAD})
        assert client.status == 502
        record = await there(ledger.usage_of, client.request_id)
        assert record["outcome"] == "upstream_error"
        assert record["output_tokens"] > 0
        assert await there(ledger.held_by, world.tenant) == 0

    story(tell)


def test_the_hold_covers_both_calls(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        holds: list[int] = []
        admission = admit._admission

        def noted(exchange: Any) -> Any:
            holds.append(exchange.hold_nano)
            return admission(exchange)

        monkeypatch.setattr(admit, "_admission", noted)
        await policy(world, retry=True)
        client = await asked(world, knobs={"text": "x " * 400, "no_usage": True}, max_tokens=500)
        record = await there(ledger.usage_of, client.request_id)
        assert len(await world.upstream_bodies()) == 2
        assert record["estimated"]
        assert 2 * 400 * 600 < record["cost_nano"] <= holds[0]
        await asked(world, knobs={"text": GOOD}, max_tokens=500, response_format={"type": "text"})
        assert holds[1] < holds[0] / 2, "where nothing can be asked again, nothing is held for it"

    story(tell)


def test_an_answer_that_was_cut_is_not_asked_for_again(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, retry=True)
        client = await asked(world, knobs={"text": GOOD}, max_tokens=2)
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert len(await world.upstream_bodies()) == 1

    story(tell)


@WAYS
def test_what_takes_too_long_to_check_is_refused_and_not_asked_for_again(
    story: Story, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    def slowly(text: str, wanted: Expected) -> Fault:
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass
        return Fault("not_json", "it took long")

    async def tell(world: World) -> None:
        rule = a_guard_rule("output_format", Action.BLOCK, on_error="block", settings={"retry": True})
        await there(a_guard_policy, world.tenant, rules=(rule,), budget_ms=50)
        monkeypatch.setattr(conform, "fault_of", slowly)
        client = await asked(world, streamed=streamed, knobs={"text": GOOD})
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert len(await world.upstream_bodies()) == 1

    story(tell)


@WAYS
def test_every_choice_must_have_the_form(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world)
        client = await asked(world, streamed=streamed, knobs={"text": BAD}, n=2)
        assert client.status == 400
        assert decisions(client, world) == [("output_format", "schema_violated", "answer")]

    story(tell)


@WAYS
@pytest.mark.parametrize("action", [Action.LOG, Action.FLAG], ids=["log", "flag"])
def test_what_is_only_put_on_record_goes_out(story: Story, streamed: bool, action: Action) -> None:
    async def tell(world: World) -> None:
        await policy(world, action, on_error="allow")
        client = await asked(world, streamed=streamed, knobs={"text": BAD})
        assert (client.status, text_of(client)) == (200, BAD)
        assert decisions(client, world) == [("output_format", "schema_violated", "answer")]

    story(tell)


def test_a_stream_is_kept_back_only_where_it_may_be_refused(story: Story) -> None:
    async def pieces(world: World, **fields: Any) -> int:
        client = await asked(world, streamed=True, knobs={"text": GOOD, "chunk_ms": 20}, **fields)
        return len([message for message in client.sent if message.get("body")])

    async def tell(world: World) -> None:
        await policy(world)
        kept = await pieces(world)
        free = await pieces(world, response_format={"type": "text"})
        assert kept <= 3 < free

    story(tell)


def test_a_client_that_leaves_while_its_stream_is_kept_back_is_charged_for_what_came(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world)
        client = world.request(
            stream=True, response_format=AS_PERSON, sandbox={"text": "x " * 2_000, "chunk_ms": 5, "no_usage": True}
        )
        running = asyncio.create_task(client.run())
        while not [record for record in await world.upstream_requests() if record["chunks_sent"] >= 20]:
            await asyncio.sleep(0)
        client.leave()
        await running
        assert client.sent == []
        while await there(ledger.held_by, world.tenant):
            await asyncio.sleep(0)
        (record,) = await there(ledger.usages_of, world.tenant)
        assert record["outcome"] == "client_left"
        assert 10 <= record["output_tokens"] < 2_000

    story(tell)


@WAYS
def test_a_schema_that_cannot_be_checked_is_refused_before_anything_is_paid(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world)
        unusable = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "file:///etc/passwd"}}}
        client = await asked(world, streamed=streamed, knobs={"text": GOOD}, response_format=unusable)
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert b"prompt" in client.body
        assert await world.upstream_bodies() == []

    story(tell)


@WAYS
def test_policy_may_want_json_and_a_length_of_every_answer(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, json=True, max_chars=20)
        free = {"response_format": {"type": "text"}}
        assert (await asked(world, streamed=streamed, knobs={"text": "[1,2]"}, **free)).status == 200
        for text in ("prose", "[" + "1," * 20 + "1]"):
            assert (await asked(world, streamed=streamed, knobs={"text": text}, **free)).status == 400

    story(tell)


@WAYS
def test_a_call_of_a_tool_needs_no_form(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world)
        tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
        client = await asked(world, streamed=streamed, knobs={"tool_call": True}, tools=[tool])
        assert client.status == 200

    story(tell)
