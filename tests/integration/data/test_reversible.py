"""Redaction that is undone for the client alone: the upstream gets placeholders, and so does what is stored."""

import json
from typing import Any

import pytest

from compliance.keyring import store
from compliance.models import Subject, Transcript
from compliance.transcripts import opened
from gateway.guards.base import Action, Replacement, Role
from gateway.models import GuardPlaceholder
from tests.factories.compliance import a_consent, a_content_policy, a_subject
from tests.factories.guards import a_guard_policy, a_guard_rule
from tests.integration.data.conversations import decided
from tests.integration.data.world import Client, Story, World, there

EMAIL, OTHER = "ada@example.com", "eve@example.com"
ASK: Any = [{"role": "user", "content": f"Write to {EMAIL}."}]


def reversing(world: World, **fields: Any) -> None:
    """A policy that redacts e-mail addresses reversibly, unless `fields` say otherwise."""
    rule = {"replacement": Replacement.PLACEHOLDER, "rules": ["EMAIL"], **fields.pop("rule", {})}
    a_guard_policy(world.tenant, rules=(a_guard_rule("personal_data", Action.REDACT, **rule),), **fields)


def saying(text: str, **fields: Any) -> dict[str, Any]:
    """What makes the sandbox answer with that text. Guards look at it as at all of the request."""
    return {"sandbox": {"text": text}, **fields}


async def asked(world: World, **fields: Any) -> Client:
    client = world.request(**{"messages": ASK, **fields})
    await client.run()
    assert client.status == 200, client.body
    return client


def content(client: Client) -> str:
    return str(json.loads(client.body)["choices"][0]["message"]["content"])


def deltas(client: Client) -> list[dict[str, Any]]:
    events = [event.removeprefix("data: ") for event in client.body.decode().split("\n\n") if event]
    assert events[-1] == "[DONE]"
    return [choice["delta"] for event in events[:-1] for choice in json.loads(event)["choices"]]


async def sent(world: World) -> str:
    """All that reached the upstream."""
    return json.dumps(await world.upstream_bodies(), ensure_ascii=False)


def test_the_upstream_gets_placeholders_and_the_client_its_values(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(reversing, world)
        client = await asked(world, **saying(f"I have written to {EMAIL}."))
        assert content(client) == f"I have written to {EMAIL}."
        [body] = await world.upstream_bodies()
        assert EMAIL not in json.dumps(body)
        placeholder = body["messages"][0]["content"].removeprefix("Write to ").removesuffix(".")
        assert placeholder.startswith("⟦EMAIL·")

    story(tell)


def test_a_stream_gives_them_back_token_by_token(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(reversing, world)
        text = f"First {EMAIL}, then [{OTHER}] and **{EMAIL}** ⟦EMAIL·"
        client = await asked(world, stream=True, **saying(text))
        assert "".join(delta.get("content") or "" for delta in deltas(client)) == text
        assert len(deltas(client)) > 10
        assert EMAIL not in await sent(world)

    story(tell)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_arguments_of_a_tool_call_get_them_back_as_json(story: Story, stream: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"to": {"const": f'"Ada" <{EMAIL}>'}, "copy": {"const": OTHER}},
        "required": ["to", "copy"],
    }
    tools = [{"type": "function", "function": {"name": "send", "parameters": schema}}]

    async def tell(world: World) -> None:
        await there(reversing, world)
        client = await asked(world, stream=stream, tools=tools, sandbox={"tool_call": True})
        if stream:
            calls = [call for delta in deltas(client) for call in delta.get("tool_calls") or ()]
            arguments = "".join(call["function"].get("arguments", "") for call in calls)
        else:
            arguments = json.loads(client.body)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
        assert json.loads(arguments) == {"to": f'"Ada" <{EMAIL}>', "copy": OTHER}
        assert EMAIL not in await sent(world)

    story(tell)


def test_each_choice_of_a_stream_has_its_own(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(reversing, world)
        client = await asked(world, stream=True, n=3, **saying(f"To {EMAIL}"))
        events = [json.loads(event[6:]) for event in client.body.decode().split("\n\n")[:-2]]
        texts = ["", "", ""]
        for choice in (choice for event in events for choice in event["choices"]):
            texts[choice["index"]] += choice["delta"].get("content") or ""
        assert texts == [f"To {EMAIL}"] * 3

    story(tell)


def test_what_the_model_brings_up_itself_is_not_given(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(reversing, world, rule={"roles": [Role.USER, Role.ASSISTANT]})
        client = await asked(world, **saying(f"{EMAIL} knows {OTHER}"))
        given, _, masked = content(client).partition(" knows ")
        assert given == EMAIL  # the client's own
        assert masked.startswith("⟦EMAIL·")

    story(tell)


def test_forged_ones_are_passed_on_as_they_are(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(reversing, world)
        forged = "⟦EMAIL·aaaa00000000⟧ [[EMAIL·bbbb00000000]]"
        assert content(await asked(world, **saying(f"{forged} {EMAIL}"))) == f"{forged} {EMAIL}"

    story(tell)


def test_policy_may_keep_them_from_the_client(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(reversing, world, restore_placeholders=False)
        client = await asked(world, **saying(f"To {EMAIL}"))
        assert content(client).startswith("To ⟦EMAIL·")

    story(tell)


def test_json_that_was_asked_for_stays_json(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(reversing, world, rule={"rules": []})
        value = 'postgres://ada:pa"ss\\word@db.example.com/x'
        answer = json.dumps({"email": EMAIL, "at": value})
        client = await asked(world, response_format={"type": "json_object"}, **saying(answer))
        assert json.loads(content(client)) == {"email": EMAIL, "at": value}

    story(tell)


# --- one conversation, several requests -------------------------------------------------------------------------------


async def placeholder_of(world: World, **fields: Any) -> str:
    """What stands for the address in such a request."""
    await asked(world, **fields)
    body = (await world.upstream_bodies())[-1]
    message = next(message for message in body["messages"] if message["role"] == "user")
    return str(message["content"].partition("Write to ")[2].removesuffix("."))


def test_a_conversation_has_one_for_each_value_and_another_conversation_another(story: Story) -> None:
    later = [*ASK, {"role": "assistant", "content": "Done."}, {"role": "user", "content": f"Again to {EMAIL}"}]
    begun_otherwise = [{"role": "user", "content": f"Please! Write to {EMAIL}."}]

    async def tell(world: World) -> None:
        await there(reversing, world)
        first = await placeholder_of(world, user="ada")
        assert await placeholder_of(world, user="ada", messages=later) == first
        assert await placeholder_of(world, user="eve") != first
        assert await placeholder_of(world, user="ada", messages=begun_otherwise) != first
        named = {"user": "ada", "metadata": {"conversation_id": "7"}}
        assert await placeholder_of(world, **named) == await placeholder_of(world, messages=begun_otherwise, **named)

    story(tell)


def ada_of(world: World, **policy: Any) -> Subject:
    """A person who agrees to what is stored, of a tenant whose policy keeps placeholders for an hour."""
    reversing(world, **{"placeholder_ttl_hours": 1, **policy})
    ada = a_subject(world.tenant, "ada")
    a_consent(ada)
    return ada


def later_saying(placeholder: str) -> dict[str, Any]:
    """A later request of the conversation that does not hold the value any more."""
    messages = [ASK[0], {"role": "assistant", "content": f"Written to {placeholder}."}]
    return {"messages": messages, **saying(f"It was {placeholder}."), "metadata": {"conversation_id": "7"}}


NAMED: Any = {"metadata": {"conversation_id": "7"}}


def without_value(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "messages": [{"role": "user", "content": "Who was it?"}, *fields["messages"][1:]]}


def test_a_later_request_restores_what_only_an_earlier_one_had(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(ada_of, world)
        placeholder = await placeholder_of(world, user="ada", **NAMED)
        client = await asked(world, user="ada", **without_value(later_saying(placeholder)))
        assert content(client) == f"It was {EMAIL}."
        assert await there(GuardPlaceholder.objects.filter(tenant_id=world.tenant.pk).count) == 1

    story(tell)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"user": "eve"}, id="another person"),
        pytest.param({"user": "ada", "metadata": {"conversation_id": "8"}}, id="another conversation"),
        pytest.param({}, id="nobody by name"),
    ],
)
def test_nobody_else_restores_it(story: Story, change: dict[str, Any]) -> None:
    async def tell(world: World) -> None:
        await there(ada_of, world)
        placeholder = await placeholder_of(world, user="ada", **NAMED)
        client = await asked(world, **{**without_value(later_saying(placeholder)), **change})
        assert content(client) == f"It was {placeholder}."

    story(tell)


@pytest.mark.parametrize("policy", [{"placeholder_ttl_hours": 0}, {"restore_placeholders": False}], ids=["0 h", "off"])
def test_nothing_is_kept_where_policy_does_not_want_it(story: Story, policy: dict[str, Any]) -> None:
    async def tell(world: World) -> None:
        await there(ada_of, world, **policy)
        placeholder = await placeholder_of(world, user="ada", **NAMED)
        client = await asked(world, user="ada", **without_value(later_saying(placeholder)))
        assert content(client) == f"It was {placeholder}."
        await world.plane.remembering.flush()
        assert not await there(GuardPlaceholder.objects.filter(tenant_id=world.tenant.pk).exists)

    story(tell)


def test_nothing_is_kept_of_who_has_not_agreed(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(ada_of, world)
        placeholder = await placeholder_of(world, user="eve", **NAMED)
        client = await asked(world, user="eve", **without_value(later_saying(placeholder)))
        assert content(client) == f"It was {placeholder}."
        assert not await there(GuardPlaceholder.objects.filter(tenant_id=world.tenant.pk).exists)

    story(tell)


def test_a_request_is_answered_where_what_was_kept_cannot_be_read(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(ada_of, world)
        placeholder = await placeholder_of(world, user="ada", **NAMED)
        await world.plane.remembering.flush()

        async def fails(*_: Any) -> Any:
            raise OSError

        world.plane.remembering._recall = fails
        client = await asked(world, user="ada", **without_value(later_saying(placeholder)))
        assert content(client) == f"It was {placeholder}."

    story(tell)


def test_what_cannot_be_kept_is_counted(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(ada_of, world)

        async def fails(*_: Any) -> Any:
            raise OSError

        world.plane.remembering._remember = fails
        assert content(await asked(world, user="ada", **saying(f"To {EMAIL}"))) == f"To {EMAIL}"
        await world.plane.remembering.flush()
        assert (world.plane.remembering.lost, len(world.plane.remembering)) == (1, 0)

    story(tell)


# --- what is stored ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_stored_conversation_holds_placeholders(story: Story, stream: bool) -> None:
    def stored(request_id: str) -> str:
        row = Transcript.objects.get(pk=request_id)
        key = store.subject_keys(row.tenant_id, [row.surrogate])[row.surrogate]
        return json.dumps(opened(row, key=key.key), ensure_ascii=False)

    async def tell(world: World) -> None:
        await there(a_content_policy, world.tenant)
        await there(ada_of, world)
        client = await asked(world, user="ada", stream=stream, **saying(f"To {EMAIL}"))
        assert EMAIL in client.body.decode()
        await decided(world)
        text = await there(stored, client.request_id)
        assert EMAIL not in text
        assert text.count("⟦EMAIL·") >= 2

    story(tell)
