"""What guards do to prompts, answers and streams on their way, and what is on record of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from msgspec import structs

from billing.models import AttributionTag
from gateway.actions import guard_policies
from gateway.guards import registry
from gateway.guards.base import Action, Direction, Finding, Guard, Judged, OnError
from gateway.models import GuardDecision, GuardPolicy
from tests import factories
from tests.factories import THE_SYSTEM
from tests.factories.guards import a_guard_policy, a_guard_rule, shows_the_card
from tests.integration.data.world import Client, Story, World, there
from tests.system import ledger

CARD = "4111 1111 1111 1111"
MAIL = "ada@example.com"
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(autouse=True)
def _written_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions are written when a test flushes them, and not in between."""
    monkeypatch.setattr("gateway.deciding.EVERY_S", 3600.0)


async def policy(world: World, action: Action, direction: Direction | str = "both", **fields: Any) -> GuardPolicy:
    """The tenant's policy does that about personal data, and nothing else."""
    rule = a_guard_rule("personal_data", action, direction=direction, **fields)
    return await there(a_guard_policy, world.tenant, rules=(rule,))


async def asked(world: World, content: Any = "Hello", *, answer: str = "", **fields: Any) -> Client:
    """A request whose answer is `answer`, as soon as what guards decided about it is on record."""
    sandbox = {"text": answer} if answer else {"tokens": 3}
    client = world.request(messages=[{"role": "user", "content": content}], sandbox=sandbox, **fields)
    await client.run()
    await world.plane.decisions.flush()
    return client


def decisions_of(client: Client) -> list[tuple[str, str, str, int, str]]:
    """Whatever role a text had."""
    rows = GuardDecision.objects.filter(request_id=client.request_id)
    return sorted({(row.guard, row.rule, row.direction, row.action, row.error) for row in rows})


def events_of(client: Client) -> list[dict[str, Any]]:
    """The events of a stream."""
    lines = client.body.decode().split("\n\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line and line != "data: [DONE]"]


def said(client: Client, *, choice: int = 0) -> str:
    """The content of a choice of the answer."""
    if b"text/event-stream" not in client.headers[b"content-type"]:
        return str(json.loads(client.body)["choices"][choice]["message"]["content"])
    parts = [part for event in events_of(client) for part in event.get("choices", ()) if part["index"] == choice]
    return "".join(part["delta"].get("content") or "" for part in parts)


# --- prompts -----------------------------------------------------------------------------------------------------


def test_it_works(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.REDACT)
        client = await asked(world, f"Write to {MAIL}", answer=f"Wrote to {MAIL}.")
        assert client.status == 200
        (body,) = await world.upstream_bodies()
        assert body["messages"][0]["content"] == "Write to [EMAIL]"
        assert said(client) == "Wrote to [EMAIL]."
        redact = Action.REDACT.value
        assert await there(decisions_of, client) == [("personal_data", "EMAIL", "prompt", redact, "")]

    story(tell)


def test_without_a_policy_secrets_do_not_pass_and_the_rest_is_noted(story: Story) -> None:
    _, secret = factories.a_key()

    async def tell(world: World) -> None:
        client = await asked(world, f"My key is {secret}, my address is {MAIL}")
        assert client.status == 200
        (body,) = await world.upstream_bodies()
        assert secret not in json.dumps(body)
        assert MAIL in body["messages"][0]["content"]
        found = {(guard, action) for guard, _, _, action, _ in await there(decisions_of, client)}
        assert found == {("secrets", Action.REDACT), ("personal_data", Action.LOG)}

    story(tell)


def test_a_prompt_that_is_blocked_goes_nowhere(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.BLOCK)
        client = await asked(world, f"My card is {CARD}")
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert client.headers[b"x-should-retry"] == b"false"
        error = json.loads(client.body)["error"]
        assert "personal_data" in error["message"]
        assert not shows_the_card(client.body.decode())
        assert await world.upstream_bodies() == []
        assert await there(ledger.holds_of, world.tenant) == 0
        assert await there(decisions_of, client) == [
            ("personal_data", "CARD", "prompt", Action.BLOCK.value, ""),
        ]
        world.plane.refusals.flush()
        record = await there(ledger.only_usage_of, world.tenant)
        assert (record["outcome"], record["code"]) == ("refused", "content_policy_violation")

    story(tell)


@pytest.mark.parametrize("action", [Action.LOG, Action.FLAG], ids=["log", "flag"])
def test_what_is_only_noted_goes_as_it_came(story: Story, action: Action) -> None:
    async def tell(world: World) -> None:
        await policy(world, action)
        client = await asked(world, f"My card is {CARD}")
        (body,) = await world.upstream_bodies()
        assert body["messages"][0]["content"] == f"My card is {CARD}"
        assert await there(decisions_of, client) == [("personal_data", "CARD", "prompt", action.value, "")]

    story(tell)


def test_every_text_of_a_prompt_is_redacted_where_it_stands(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.REDACT)
        tools = [{"type": "function", "function": {"name": "send", "description": MAIL, "parameters": {}}}]
        call = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": json.dumps({"to": MAIL})}}
        messages = [
            {"role": "system", "content": MAIL},
            {"role": "user", "content": [{"type": "text", "text": MAIL}], "name": "ada"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": MAIL},
        ]
        client = world.request(messages=messages, tools=tools, metadata={"to": MAIL}, stop=[MAIL], future={"to": MAIL})
        await client.run()
        assert client.status == 200
        (body,) = await world.upstream_bodies()
        assert MAIL not in json.dumps(body)
        assert json.dumps(body).count("[EMAIL]") == 8
        assert json.loads(body["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"to": "[EMAIL]"}

    story(tell)


def test_tags_do_not_keep_what_was_redacted(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.REDACT)
        await there(factories.a_tag, world.tenant, "team")
        await there(lambda: AttributionTag.objects.get(tenant=world.tenant))
        await asked(world, metadata={"team": MAIL})
        record = await there(ledger.only_usage_of, world.tenant)
        assert record["tags"] == {"team": "[EMAIL]"}

    story(tell)


# --- answers -----------------------------------------------------------------------------------------------------


@WAYS
def test_an_answer_is_redacted(story: Story, stream: bool) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.REDACT, Direction.ANSWER)
        client = await asked(world, answer=f"It is {CARD}, and {MAIL}.", stream=stream)
        assert said(client) == "It is [CARD], and [EMAIL]."
        assert not shows_the_card(client.body.decode())
        redact = Action.REDACT.value
        assert await there(decisions_of, client) == [
            ("personal_data", "CARD", "answer", redact, ""),
            ("personal_data", "EMAIL", "answer", redact, ""),
        ]

    story(tell)


@WAYS
def test_arguments_of_a_tool_call_are_redacted(story: Story, stream: bool) -> None:
    wanted = {"note": f"Card:\n{CARD}", "é": 'say "x"', "number": 4111111111111111}
    properties = {name: {"const": value} for name, value in wanted.items()}
    function = {"name": "pay", "parameters": {"type": "object", "properties": properties, "required": list(wanted)}}

    async def tell(world: World) -> None:
        await policy(world, Action.REDACT, Direction.ANSWER)
        client = world.request(
            stream=stream, tools=[{"type": "function", "function": function}], sandbox={"tool_call": True}, n=2
        )
        await client.run()
        if stream:
            deltas = [choice for event in events_of(client) for choice in event["choices"] if choice["index"] == 1]
            calls = [call for choice in deltas for call in choice["delta"].get("tool_calls", ())]
            arguments = "".join(call["function"].get("arguments", "") for call in calls)
        else:
            arguments = json.loads(client.body)["choices"][1]["message"]["tool_calls"][0]["function"]["arguments"]
        assert json.loads(arguments) == {"note": "Card:\n[CARD]", "é": 'say "x"', "number": "[CARD]"}

    story(tell)


def test_an_answer_that_is_blocked_is_charged(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.BLOCK, Direction.ANSWER)
        client = await asked(world, answer=f"It is {CARD}.")
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert not shows_the_card(client.body.decode())
        record = await there(ledger.only_usage_of, world.tenant)
        assert (record["outcome"], record["code"]) == ("blocked", "content_policy_violation")
        assert record["output_tokens"] > 0
        assert record["estimated"] is False
        assert record["cost_nano"] > 0
        assert await there(decisions_of, client) == [("personal_data", "CARD", "answer", Action.BLOCK.value, "")]

    story(tell)


def test_a_stream_that_is_blocked_ends_before_what_was_found(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.BLOCK, Direction.ANSWER)
        text = f"{'All is well. ' * 20}It is {CARD}. {'And so on. ' * 200}"
        client = await asked(world, answer=text, stream=True)
        assert client.status == 200
        assert events_of(client)[-1]["error"]["code"] == "content_policy_violation"
        assert b"[DONE]" not in client.body
        assert said(client) == f"{'All is well. ' * 20}It is "
        assert not shows_the_card(client.body.decode())
        record = await there(ledger.only_usage_of, world.tenant)
        assert (record["outcome"], record["estimated"]) == ("blocked", True)
        assert record["output_tokens"] > 0
        assert await there(decisions_of, client) == [("personal_data", "CARD", "answer", Action.BLOCK.value, "")]

    story(tell)


def test_a_stream_in_which_nothing_is_found_is_the_same_as_without_guards(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.REDACT)
        text = "To be, or not to be. " * 30
        client = await asked(world, answer=text, stream=True, n=2)
        assert [said(client, choice=number) for number in (0, 1)] == [text, text]
        ends = [choice for event in events_of(client) for choice in event["choices"] if choice["finish_reason"]]
        assert [choice["index"] for choice in ends] == [0, 1]
        assert client.body.endswith(b"data: [DONE]\n\n")

    story(tell)


def test_a_change_of_policy_holds_for_gateways_that_run(story: Story) -> None:
    async def tell(world: World) -> None:
        held = await policy(world, Action.LOG)
        assert (await asked(world, MAIL)).status == 200
        rules = (a_guard_rule("personal_data", Action.BLOCK),)
        await there(lambda: guard_policies.set_rules(policy=held, rules=rules, by=THE_SYSTEM))
        async with asyncio.timeout(5):
            while (await asked(world, MAIL)).status != 400:
                await asyncio.sleep(0)

    story(tell)


def test_a_stream_that_its_client_leaves_has_on_record_what_was_found(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.LOG, Direction.ANSWER)
        client = world.request(stream=True, sandbox={"text": f"{MAIL} {'and so on ' * 500}", "chunk_ms": 1})

        async def leave(message: dict[str, Any]) -> None:
            if b"so on" in message.get("body", b""):
                client.leave()

        client.before_sending = leave
        await client.run()
        await world.plane.decisions.flush()
        assert await there(decisions_of, client) == [("personal_data", "EMAIL", "answer", Action.LOG.value, "")]

    story(tell)


def test_a_stream_that_is_cut_shows_what_was_held_back(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.REDACT, Direction.ANSWER)
        knobs = {"text": "It is 4111 1111 and more", "cut_after_chunks": 6}
        client = world.request(stream=True, sandbox=knobs)
        await client.run()
        assert "error" in events_of(client)[-1]
        assert said(client).startswith("It is 4111")

    story(tell)


# --- guards that fail --------------------------------------------------------------------------------------------


def raises(judged: Judged) -> Sequence[Finding]:
    raise ValueError(f"a fault that quotes {judged.texts[0].text}")


def hangs(judged: Judged) -> Sequence[Finding]:
    while True:
        pass


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Judged], Sequence[Finding]]], None]:
    """Has a guard judge like that."""

    def put(judge: Callable[[Judged], Sequence[Finding]]) -> None:
        guard: Guard = registry.guards()["word_list"]
        changed = structs.replace(guard, judge=judge, rules=None, finders=None, live=None)
        monkeypatch.setitem(registry._GUARDS, "word_list", changed)

    return put


FAULTS = pytest.mark.parametrize(("judge", "error"), [(raises, "raised"), (hangs, "budget")], ids=["raises", "hangs"])


@FAULTS
def test_a_guard_that_fails_lets_nothing_through(
    story: Story, broken: Callable[..., None], judge: Callable[..., Any], error: str
) -> None:
    broken(judge)

    async def tell(world: World) -> None:
        rule = a_guard_rule("word_list", Action.LOG, direction=Direction.PROMPT)
        await there(a_guard_policy, world.tenant, rules=(rule,), budget_ms=20)
        client = await asked(world, "tellurium")
        assert (client.status, client.code) == (400, "content_policy_violation")
        assert b"The prompt could not be checked, as the guard 'word_list' failed" in client.body
        assert b"tellurium" not in client.body
        assert await world.upstream_bodies() == []
        assert await there(decisions_of, client) == [("word_list", "", "prompt", Action.BLOCK.value, error)]
        assert world.plane.metrics.guard_failures == {("word_list", error, "block"): 1}
        assert [row["role"] for row in world.decided if str(row["request_id"]) == client.request_id] == [""]

    story(tell)


@FAULTS
def test_a_guard_that_fails_is_passed_over_where_policy_says_so(
    story: Story, broken: Callable[..., None], judge: Callable[..., Any], error: str
) -> None:
    broken(judge)

    async def tell(world: World) -> None:
        rule = a_guard_rule("word_list", Action.BLOCK, direction=Direction.PROMPT, on_error=OnError.ALLOW)
        await there(a_guard_policy, world.tenant, rules=(rule,), budget_ms=20)
        client = await asked(world)
        assert client.status == 200
        assert await there(decisions_of, client) == [("word_list", "", "prompt", Action.LOG.value, error)]
        assert world.plane.metrics.guard_failures == {("word_list", error, "log"): 1}

    story(tell)


@WAYS
def test_a_guard_that_fails_on_an_answer_lets_nothing_of_it_through(
    story: Story, broken: Callable[..., None], stream: bool
) -> None:
    broken(raises)

    async def tell(world: World) -> None:
        rule = a_guard_rule("word_list", Action.FLAG, direction=Direction.ANSWER)
        await there(a_guard_policy, world.tenant, rules=(rule,))
        client = await asked(world, answer="tellurium", stream=stream)
        assert b"content_policy_violation" in client.body
        assert b"The answer could not be checked, as the guard 'word_list' failed" in client.body
        assert b"tellurium" not in client.body
        record = await there(ledger.only_usage_of, world.tenant)
        assert record["outcome"] == "blocked"

    story(tell)


# --- on record ---------------------------------------------------------------------------------------------------


def test_no_text_is_in_decisions_or_metrics(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.FLAG)
        client = await asked(world, f"My card is {CARD}", metadata={MAIL: MAIL})
        rows = await there(lambda: list(GuardDecision.objects.filter(request_id=client.request_id).values()))
        assert len(rows) == 2
        texts = [str(rows), str(world.plane.metrics.guard_findings)]
        assert [text for text in texts if shows_the_card(text) or MAIL in text] == []

    story(tell)


def test_a_decision_says_whose_request_it_was(story: Story) -> None:
    async def tell(world: World) -> None:
        held = await policy(world, Action.LOG)
        client = await asked(world, f"{MAIL} {MAIL} eve@example.com", user="ada")
        row = await there(GuardDecision.objects.get, request_id=client.request_id)
        assert (row.tenant_id, row.policy_id, row.environment) == (world.tenant.pk, held.pk, "dev")
        assert (row.role, row.count, row.model) == ("user", 3, world.model)
        assert row.surrogate
        assert (row.application_id, row.api_key_id) != (0, 0)

    story(tell)


def test_what_the_database_cannot_take_is_kept_and_stored_when_it_is_back(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.LOG)
        call: Callable[..., Awaitable[Any]] = world.plane.decisions._call
        lost = OSError("down")

        async def down(rows: list[Any]) -> None:
            raise lost

        monkeypatch.setattr(world.plane.decisions, "_call", down)
        client = await asked(world, MAIL)
        assert len(world.plane.decisions) == 1
        monkeypatch.setattr(world.plane.decisions, "_call", call)
        await world.plane.decisions.flush()
        assert len(await there(decisions_of, client)) == 1
        assert world.plane.decisions.lost == 0

    story(tell)


def test_a_decision_that_is_not_accepted_does_not_take_others_with_it(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.LOG)
        first = await asked(world, MAIL)
        decisions = world.plane.decisions
        client = world.request(messages=[{"role": "user", "content": f"{MAIL} {CARD}"}])
        await client.run()
        decisions._waiting[0]["direction"] = "sideways"
        await decisions.flush()
        assert decisions.lost == 1
        assert [len(await there(decisions_of, each)) for each in (first, client)] == [1, 1]

    story(tell)


def test_a_batch_that_is_sent_again_is_stored_once(story: Story) -> None:
    async def tell(world: World) -> None:
        await policy(world, Action.LOG)
        client = world.request(messages=[{"role": "user", "content": MAIL}])
        await client.run()
        row = dict(world.plane.decisions._waiting[0])
        await world.plane.decisions.flush()
        world.plane.decisions._waiting.append(row)
        await world.plane.decisions.flush()
        assert len(await there(decisions_of, client)) == 1

    story(tell)


def test_of_too_many_that_wait_the_newest_are_counted_only(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.deciding.WAITING_MOST", 0)

    async def tell(world: World) -> None:
        await policy(world, Action.LOG)
        await asked(world, MAIL)
        assert (len(world.plane.decisions), world.plane.decisions.lost) == (0, 1)

    story(tell)
