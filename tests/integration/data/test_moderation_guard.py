"""A moderation model as a guard: of prompts and of answers, remembered, and failing closed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.guards.base import Action
from tests import factories
from tests.factories.guards import a_guard_policy, a_guard_rule
from tests.integration.data.world import Client, Story, World, there
from tests.system import ledger

BAD = "A scene of violence"
WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
Tell = Callable[[World], Awaitable[None]]


async def policy(
    world: World, action: Action = Action.BLOCK, *, upstream_model: str = "sandbox-moderation", **fields: Any
) -> None:
    """The tenant's policy asks a moderation model of the sandbox's."""

    def rows() -> str:
        provider = factories.a_provider(f"{world.sandbox_url}/v1")
        model = factories.a_model(provider, upstream_model=upstream_model).name
        settings = {"model": model, **fields.pop("settings", {})}
        a_guard_policy(world.tenant, rules=(a_guard_rule("moderation", action, settings=settings, **fields),))
        return model

    model = await there(rows)
    async with asyncio.timeout(5):  # until the gateway has heard of the model
        while model not in (await world.plane.snapshots.routes()).models:
            await asyncio.sleep(0)


async def asked(world: World, content: str = "Hello", *, answer: str = "Peace", **fields: Any) -> Client:
    client = world.request(messages=[{"role": "user", "content": content}], sandbox={"text": answer}, **fields)
    await client.run()
    return client


def decisions(client: Client, world: World) -> list[tuple[str, str, str, str]]:
    rows = [row for row in world.decided if str(row["request_id"]) == client.request_id]
    return [(row["guard"], row["rule"], row["direction"], row["error"]) for row in rows]


async def inputs(world: World) -> list[Any]:
    """What the moderation model was asked about."""
    return [body["input"] for body in await world.upstream_bodies() if "input" in body]


async def chats(world: World) -> int:
    return len([body for body in await world.upstream_bodies() if "messages" in body])


@WAYS
def test_a_prompt_that_is_flagged_is_refused_before_it_is_sent(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="prompt")
        client = await asked(world, BAD, stream=streamed)
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert b"was refused by the guard 'moderation'" in client.body
        assert b"violence" not in client.body
        assert decisions(client, world) == [("moderation", "violence", "prompt", "")]
        assert await chats(world) == 0
        record = await there(ledger.usage_of, client.request_id)
        assert (record["outcome"], record["cost_nano"], record["output_tokens"]) == ("blocked", 0, 0)
        assert await there(ledger.held_by, world.tenant) == 0
        assert (await asked(world, stream=streamed)).status == 200

    story(tell)


@WAYS
def test_an_answer_that_is_flagged_does_not_go_out(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="answer")
        client = await asked(world, answer=BAD, stream=streamed)
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert b"scene" not in client.body
        assert decisions(client, world) == [("moderation", "violence", "answer", "")]
        record = await there(ledger.usage_of, client.request_id)
        assert record["outcome"] == "blocked"
        assert record["output_tokens"] > 0
        assert (await asked(world, stream=streamed)).status == 200

    story(tell)


@WAYS
def test_what_is_flagged_for_review_goes_out(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.FLAG, on_error="allow")
        client = await asked(world, BAD, answer="Some hate", stream=streamed)
        assert client.status == 200
        assert decisions(client, world) == [
            ("moderation", "violence", "prompt", ""),
            ("moderation", "hate", "answer", ""),
        ]

    story(tell)


def test_what_was_asked_about_lately_is_not_asked_about_again(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="prompt")
        turns = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
        for messages in (turns[:1], turns, [*turns, {"role": "user", "content": "Three"}]):
            client = world.request(messages=messages)
            await client.run()
            assert client.status == 200
        assert await inputs(world) == [["One"], ["Two"], ["Three"]]

    story(tell)


def test_it_sees_what_the_other_guards_left(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="prompt")
        await there(redacting, world)
        await asked(world, "Write to ada@example.com")
        assert "ada@example.com" not in str(await inputs(world))

    story(tell)


def redacting(world: World) -> None:
    """The tenant's policy redacts e-mail addresses, too."""
    from gateway.models import GuardPolicy, GuardRule

    (own,) = GuardPolicy.objects.filter(tenant=world.tenant)
    GuardRule.objects.create(policy=own, guard="personal_data", action=int(Action.REDACT))


@pytest.mark.parametrize(
    ("upstream_model", "error"),
    [
        ("sandbox-moderation-down", "raised"),
        ("sandbox-moderation-garbled", "raised"),
        ("sandbox-moderation-hang", "budget"),
    ],
    ids=["down", "garbled", "hanging"],
)
@pytest.mark.parametrize("on_error", ["block", "allow"])
def test_a_model_that_fails_does_what_policy_says(story: Story, upstream_model: str, error: str, on_error: str) -> None:
    async def tell(world: World) -> None:
        settings = {"timeout_ms": 100}
        await policy(world, upstream_model=upstream_model, direction="prompt", on_error=on_error, settings=settings)
        client = await asked(world)
        assert client.status == (400 if on_error == "block" else 200)
        assert decisions(client, world) == [("moderation", "", "prompt", error)]
        assert await chats(world) == (0 if on_error == "block" else 1)

    story(tell)


@WAYS
def test_an_answer_that_could_not_be_asked_about_does_not_go_out(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.FLAG, upstream_model="sandbox-moderation-down", direction="answer")
        client = await asked(world, answer=BAD, stream=streamed)
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert b"scene" not in client.body

    story(tell)


def test_a_model_that_nobody_serves_has_failed(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, settings={"model": "nobody-serves-this"})
        client = await asked(world)
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert b"could not be checked, as the guard 'moderation' failed" in client.body
        assert await world.upstream_bodies() == []

    story(tell)


def test_only_the_categories_that_policy_names_count(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="prompt", settings={"categories": ["hate", "sexual/minors"]})
        assert (await asked(world, BAD)).status == 200
        assert (await asked(world, "Some hate")).status == 400

    story(tell)


def test_the_threshold_counts(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="prompt", threshold=0.99)
        assert (await asked(world, BAD)).status == 200

    story(tell)


def test_roles_that_policy_names_are_the_only_ones_asked_about(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="prompt", roles=["user"])
        messages = [{"role": "system", "content": BAD}, {"role": "user", "content": "Hello"}]
        client = world.request(messages=messages)
        await client.run()
        assert client.status == 200
        assert await inputs(world) == [["Hello"]]

    story(tell)


def test_an_error_of_a_stream_is_no_silence(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, direction="answer")
        client = await asked(world, answer=BAD, stream=True)
        assert json.loads(client.body)["error"]["message"].count("moderation") == 1

    story(tell)
