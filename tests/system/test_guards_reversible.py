"""With the official SDK: the client talks of people by name, and the upstream never hears of them."""

import asyncio
import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from gateway.guards.base import Action, Replacement
from gateway.models import Model
from tests.factories.guards import a_guard_policy, a_guard_rule
from tests.system.clients import Caller, a_caller
from tests.system.processes import Gateway, Sandbox

pytestmark = pytest.mark.system

EMAIL, CARD = "ada@example.com", "4111 1111 1111 1111"
QUESTION: Any = [
    {"role": "system", "content": f"You help {EMAIL}."},
    {"role": "user", "content": [{"type": "text", "text": f"Charge {CARD}, and tell {EMAIL}."}]},
]
SEND: Any = {
    "type": "function",
    "function": {
        "name": "send",
        "parameters": {
            "type": "object",
            "properties": {"to": {"const": EMAIL}, "text": {"const": f'"{CARD}"\n'}},
            "required": ["to", "text"],
        },
    },
}
ANSWER = f"I charged **{CARD}** and told [{EMAIL}](mailto:{EMAIL})."


@pytest.fixture
def acme(gateway: Gateway, sandbox: Sandbox, model: Model) -> Caller:
    """A tenant whose people are redacted reversibly."""
    caller = a_caller(gateway, model)
    rule = a_guard_rule("personal_data", Action.REDACT, replacement=Replacement.PLACEHOLDER)
    a_guard_policy(caller.tenant, rules=(rule,))
    return caller


def is_unknown_upstream(sandbox: Sandbox) -> bool:
    sent = json.dumps(sandbox.only_request()["body"], ensure_ascii=False)
    return "⟦EMAIL·" in sent and EMAIL not in sent and CARD not in sent


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_whole_answer(acme: Caller, sandbox: Sandbox) -> None:
    completion = acme.ask(messages=QUESTION, knobs={"text": ANSWER})
    assert completion.choices[0].message.content == ANSWER
    assert is_unknown_upstream(sandbox)


def test_a_stream(acme: Caller, sandbox: Sandbox) -> None:
    with acme.sdk() as client:
        stream = client.chat.completions.create(
            **acme.completion(messages=QUESTION, knobs={"text": ANSWER}, stream=True)
        )
        chunks = list(stream)
    assert text_of(chunks) == ANSWER
    assert [choice.finish_reason for choice in chunks[-1].choices] == ["stop"]
    assert is_unknown_upstream(sandbox)


def test_a_stream_of_the_async_client(acme: Caller, sandbox: Sandbox) -> None:
    async def read() -> str:
        async with acme.async_sdk() as client:
            wanted = acme.completion(messages=QUESTION, knobs={"text": ANSWER}, stream=True)
            return text_of([chunk async for chunk in await client.chat.completions.create(**wanted)])

    assert asyncio.run(read()) == ANSWER


def test_a_tool_call(acme: Caller, sandbox: Sandbox) -> None:
    completion = acme.ask(messages=QUESTION, tools=[SEND], knobs={"tool_call": True})
    [call] = completion.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"to": EMAIL, "text": f'"{CARD}"\n'}
    assert is_unknown_upstream(sandbox)


def test_a_streamed_tool_call(acme: Caller, sandbox: Sandbox) -> None:
    with acme.sdk() as client:
        wanted = acme.completion(messages=QUESTION, tools=[SEND], knobs={"tool_call": True})
        with client.chat.completions.stream(**wanted) as stream:
            completion = stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls
    assert calls is not None
    assert json.loads(calls[0].function.arguments) == {"to": EMAIL, "text": f'"{CARD}"\n'}
    assert is_unknown_upstream(sandbox)


def test_a_conversation_in_several_turns(acme: Caller, sandbox: Sandbox) -> None:
    """The client sends its history again, with its own values; the upstream reads the same placeholders each time."""
    first = acme.ask(messages=QUESTION, knobs={"text": ANSWER})
    history = [
        *QUESTION,
        {"role": "assistant", "content": first.choices[0].message.content},
        {"role": "user", "content": "Thanks. Whom did you tell?"},
    ]
    second = acme.ask(messages=history, knobs={"text": EMAIL})
    assert second.choices[0].message.content == EMAIL
    one, two = (request["body"]["messages"] for request in sandbox.requests())
    assert two[:2] == one
    assert EMAIL not in json.dumps(two)
