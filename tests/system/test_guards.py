"""What guards do, as the official SDK sees it."""

import json
from typing import Any

import openai
import pytest

from gateway.guards.base import Action, Direction
from gateway.models import GuardDecision
from tests.factories.guards import a_guard_policy, a_guard_rule, shows_the_card
from tests.system import ledger
from tests.system.clients import Attempts, Caller
from tests.system.processes import Sandbox, eventually

pytestmark = pytest.mark.system

CARD = "4111 1111 1111 1111"
WELL = "All is well, and so it goes on. " * 20


@pytest.fixture
def blocking(acme: Caller) -> Caller:
    """Nobody there may send or get card numbers and the like."""
    a_guard_policy(acme.tenant, rules=(a_guard_rule("personal_data", Action.BLOCK, roles=["user", "assistant"]),))
    return acme


@pytest.fixture
def redacting(acme: Caller) -> Caller:
    """Nobody there gets them; what is sent passes, as the sandbox is told by it what to answer."""
    rule = a_guard_rule("personal_data", Action.REDACT, direction=Direction.ANSWER)
    a_guard_policy(acme.tenant, rules=(rule,))
    return acme


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_blocked_prompt_is_a_bad_request(blocking: Caller, sandbox: Sandbox, stream: bool) -> None:
    attempts = Attempts()
    with (
        blocking.sdk(max_retries=2, http_client=attempts.client) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(**blocking.completion(messages=user(f"My card is {CARD}"), stream=stream))
    assert (refused.value.code, refused.value.type) == ("content_policy_violation", "invalid_request_error")
    assert "personal_data" in refused.value.message
    assert not shows_the_card(f"{refused.value} {refused.value.body} {refused.value.response.text}")
    assert len(attempts) == 1
    assert sandbox.requests() == []


def test_a_blocked_answer_is_a_bad_request_and_charged(blocking: Caller) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        blocking.ask(knobs={"text": f"It is {CARD}."})
    assert refused.value.code == "content_policy_violation"
    assert not shows_the_card(f"{refused.value} {refused.value.body} {refused.value.response.text}")
    record = ledger.only_usage_of(blocking.tenant)
    assert (record["outcome"], record["estimated"]) == ("blocked", False)
    assert record["cost_nano"] > 0


def test_a_stream_that_is_blocked_in_the_middle_is_an_error(blocking: Caller, sandbox: Sandbox) -> None:
    shown: list[str] = []
    knobs = {"text": f"{WELL}It is {CARD}. {WELL}", "chunk_ms": 1}
    with (
        blocking.sdk() as client,
        client.chat.completions.create(**blocking.completion(stream=True, knobs=knobs)) as stream,
        pytest.raises(openai.APIError) as ended,
    ):
        shown.extend(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert ended.value.code == "content_policy_violation"
    assert "personal_data" in ended.value.message
    assert "".join(shown) == f"{WELL}It is "
    assert not shows_the_card(f"{ended.value} {ended.value.body}")
    assert sandbox.only_request()["state"] == "cancelled"
    record = ledger.only_usage_of(blocking.tenant)
    assert (record["outcome"], record["estimated"]) == ("blocked", True)
    row = eventually(lambda: GuardDecision.objects.filter(tenant_id=blocking.tenant.pk).first())
    assert row is not None
    assert (row.guard, row.rule, row.direction, row.action) == ("personal_data", "CARD", "answer", Action.BLOCK)


@pytest.mark.parametrize("chunks", [1, 3, 1000], ids=["one chunk", "few", "many"])
def test_a_stream_is_redacted_however_it_comes(redacting: Caller, chunks: int) -> None:
    text = f"{WELL}It is {CARD}, and ada@example.com."
    with (
        redacting.sdk() as client,
        client.chat.completions.create(
            **redacting.completion(stream=True, n=2, knobs={"text": text, "chunks": chunks})
        ) as stream,
    ):
        received = list(stream)
    for index in (0, 1):
        parts = [choice for chunk in received for choice in chunk.choices if choice.index == index]
        assert "".join(part.delta.content or "" for part in parts) == f"{WELL}It is [CARD], and [EMAIL]."
        assert [part.finish_reason for part in parts if part.finish_reason] == ["stop"]


def test_streamed_arguments_of_a_tool_call_are_redacted(redacting: Caller) -> None:
    wanted = {"note": f'The "card":\n{CARD}', "number": 4111111111111111, "city": "Zürich"}
    properties = {name: {"const": value} for name, value in wanted.items()}
    tool: Any = {
        "type": "function",
        "function": {
            "name": "pay",
            "parameters": {"type": "object", "properties": properties, "required": list(wanted)},
        },
    }
    with (
        redacting.sdk() as client,
        client.chat.completions.stream(**redacting.completion(tools=[tool], knobs={"tool_call": True})) as stream,
    ):
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.function.name == "pay"
    assert json.loads(call.function.arguments) == {
        "note": 'The "card":\n[CARD]',
        "number": "[CARD]",
        "city": "Zürich",
    }


def test_without_a_policy_a_key_of_the_gateway_does_not_reach_the_upstream(acme: Caller, sandbox: Sandbox) -> None:
    acme.ask(messages=user(f"export KEY={acme.secret}"))
    assert acme.secret not in json.dumps(sandbox.last_body())


def test_logs_say_which_guards_did_what_and_never_what_they_found(redacting: Caller) -> None:
    redacting.ask(knobs={"text": f"It is {CARD}."})

    def line() -> dict[str, Any] | None:
        lines = redacting.gateway.log_lines()
        own = [each for each in lines if each.get("tenant") == redacting.tenant.slug and each["event"] == "request"]
        return own[0] if own else None

    found = eventually(line)
    assert found is not None
    assert found["guards"] == ["personal_data:redact"]
    assert CARD not in redacting.gateway.log.read_text()
