"""The official SDK, unmodified, gets what it would get from OpenAI."""

import asyncio
import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk

from gateway.models import Model, Provider
from tests import factories
from tests.system import ledger
from tests.system.clients import HELLO, Caller, a_caller, served
from tests.system.processes import Gateway, Sandbox

pytestmark = pytest.mark.system

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}
PERSON: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_it_works(acme: Caller, sandbox: Sandbox) -> None:
    completion = acme.ask(knobs={"tokens": 5})
    assert completion.object == "chat.completion"
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.completion_tokens == 5
    assert sandbox.only_request()["state"] == "completed"


def test_what_was_used_is_recorded_under_the_request_id_that_the_client_saw(acme: Caller) -> None:
    completion = acme.ask(knobs={"tokens": 7, "cached_tokens": 3, "reasoning_tokens": 2})
    record = ledger.usage_of(completion._request_id)
    usage = completion.usage
    assert (record["outcome"], record["status"], record["estimated"]) == ("completed", 200, False)
    assert (record["input_tokens"], record["output_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert (record["cached_input_tokens"], record["reasoning_tokens"]) == (3, 2)
    # nano-dollars per million tokens: 150,000,000 in, 75,000,000 cached, 600,000,000 out
    assert record["cost_nano"] == (usage.prompt_tokens - 3) * 150 + 3 * 75 + usage.completion_tokens * 600
    assert (record["tenant_id"], record["api_key_id"]) == (acme.tenant.pk, acme.key.pk)
    assert (ledger.holds_of(acme.tenant), ledger.held_by(acme.tenant)) == (0, 0)


def test_headers_tell_limits_model_and_cost(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    caller = a_caller(gateway, model, tier={"requests_per_minute": 60, "tokens_per_minute": 50_000})
    with caller.sdk() as client:
        answer = client.chat.completions.with_raw_response.create(**caller.completion(max_tokens=10))
    headers, record = answer.headers, ledger.usage_of(answer.headers["x-request-id"])
    assert headers["request-id"] == headers["x-request-id"] == headers["x-portcullis-decision"]
    assert headers["x-ratelimit-limit-requests"] == "60"
    assert headers["x-ratelimit-remaining-requests"] == "59"
    assert headers["x-ratelimit-reset-requests"] in {"1s", "999ms"}
    assert headers["x-ratelimit-limit-tokens"] == "50000"
    assert int(headers["x-ratelimit-remaining-tokens"]) == pytest.approx(50_000 - 10 - 9, abs=5)
    assert headers["x-portcullis-model"].endswith("/sandbox-small")
    assert round(float(headers["x-portcullis-cost"]) * 10**9) == record["cost_nano"]
    assert int(headers["openai-processing-ms"]) >= 0
    assert float(headers["x-portcullis-overhead-ms"]) >= 0


@pytest.mark.parametrize("asked", [True, False], ids=["usage asked for", "usage not asked for"])
def test_a_stream_carries_the_usage_chunk_only_when_asked(acme: Caller, sandbox: Sandbox, asked: bool) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked else {}
    whole = acme.ask(knobs={"tokens": 9})
    with (
        acme.sdk() as client,
        client.chat.completions.create(**acme.completion(stream=True, knobs={"tokens": 9}, **options)) as stream,
    ):
        request_id = stream.response.headers["x-request-id"]
        chunks = list(stream)
    assert text_of(chunks) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert [chunk.usage for chunk in chunks if chunk.usage] == ([whole.usage] if asked else [])
    assert all(chunk.choices for chunk in chunks[:-1])
    assert bool(chunks[-1].choices) is not asked
    assert sandbox.last_body()["stream_options"] == {"include_usage": True}, "the gateway always asks"
    record = ledger.usage_of(request_id)
    assert (record["output_tokens"], record["estimated"], record["streamed"]) == (9, False, True)


def test_tools_whole(acme: Caller) -> None:
    completion = acme.ask(tools=[WEATHER], knobs={"tool_call": True})
    (call,) = completion.choices[0].message.tool_calls
    assert call.function.name == "weather"
    assert set(json.loads(call.function.arguments)) == {"city", "days"}
    assert completion.choices[0].finish_reason == "tool_calls"
    answer = [
        *HELLO,
        completion.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    assert acme.ask(messages=answer, tools=[WEATHER]).choices[0].message.content


def test_tools_streamed(acme: Caller) -> None:
    choice: Any = {"type": "function", "function": {"name": "weather"}}
    chunks = streamed(acme, tools=[WEATHER], tool_choice=choice)
    calls = [call for chunk in chunks for part in chunk.choices for call in part.delta.tool_calls or ()]
    assert calls[0].function is not None
    assert calls[0].function.name == "weather"
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert set(json.loads(arguments)) == {"city", "days"}


def streamed(caller: Caller, **fields: Any) -> list[ChatCompletionChunk]:
    with caller.sdk() as client, client.chat.completions.create(**caller.completion(stream=True, **fields)) as stream:
        return list(stream)


def test_a_response_format_is_kept_to(acme: Caller, sandbox: Sandbox) -> None:
    completion = acme.ask(response_format=PERSON)
    assert set(json.loads(completion.choices[0].message.content)) == {"name", "age"}
    assert sandbox.last_body()["response_format"] == PERSON


def test_several_choices(acme: Caller) -> None:
    whole = acme.ask(n=2, knobs={"tokens": 6})
    assert [choice.index for choice in whole.choices] == [0, 1]
    assert whole.usage.completion_tokens == 12
    chunks = streamed(acme, n=2, knobs={"tokens": 6})
    texts = {0: "", 1: ""}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert [choice.message.content for choice in whole.choices] == [texts[0], texts[1]]


def test_fields_that_the_gateway_does_not_decide_by_pass_through_unharmed(acme: Caller, sandbox: Sandbox) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture], "name": "ann"}]
    sent: dict[str, Any] = {
        "messages": messages,
        "metadata": {"team": "search", "note": "grün — 緑 🟢"},
        "store": False,
        "service_tier": "auto",
        "prompt_cache_key": "greeting",
        "seed": 42,
        "logit_bias": {"50256": -100},
        "stop": ["###"],
        "temperature": 0.25,
    }
    unknown = {"future_field": {"deep": [1, 2.5, None, "x", 10**30, True]}, "top_k": 40}
    acme.ask(**sent, safety_identifier="user-1234", user="legacy-1234", extra_body=unknown)
    received = sandbox.last_body()
    assert received.pop("safety_identifier") == received.pop("user") != "user-1234", "people have other names there"
    assert received.pop("model") == "sandbox-small"
    assert received.pop("max_completion_tokens", received.pop("max_tokens", None)) == 4096, "the tier's cap"
    assert received == {**sent, **unknown}


def test_the_clients_own_output_limit_stays(acme: Caller, sandbox: Sandbox) -> None:
    completion = acme.ask(max_tokens=4)
    assert completion.usage.completion_tokens == 4
    assert completion.choices[0].finish_reason == "length"
    assert sandbox.last_body()["max_tokens"] == 4
    assert "max_completion_tokens" not in sandbox.last_body()


def test_async_client(acme: Caller) -> None:
    async def story() -> tuple[str, str]:
        async with acme.async_sdk() as client:
            whole = await client.chat.completions.create(**acme.completion(knobs={"tokens": 20}))
            stream = await client.chat.completions.create(**acme.completion(stream=True, knobs={"tokens": 20}))
            return whole.choices[0].message.content, text_of([chunk async for chunk in stream])

    whole, streamed = asyncio.run(story())
    assert whole == streamed != ""


def test_fifty_at_once(acme: Caller, sandbox: Sandbox) -> None:
    async def story() -> list[Any]:
        async with acme.async_sdk() as client:
            return await asyncio.gather(
                *(
                    client.chat.completions.create(
                        **acme.completion(
                            messages=[{"role": "user", "content": f"Question {n}"}],
                            knobs={"text": f"Answer {n}", "latency_ms": 100},
                        )
                    )
                    for n in range(50)
                )
            )

    completions = asyncio.run(story())
    assert [completion.choices[0].message.content for completion in completions] == [f"Answer {n}" for n in range(50)]
    assert sandbox.wait_for_running(0)["completed"] == 50
    records = [ledger.usage_of(completion._request_id) for completion in completions]
    assert len({record["request_id"] for record in records}) == 50
    assert (ledger.holds_of(acme.tenant), ledger.held_by(acme.tenant)) == (0, 0)


def test_models_are_those_that_the_key_may_use(gateway: Gateway, model: Model, provider: Provider) -> None:
    other = served(gateway, factories.a_model(provider))
    unrestricted, restricted = a_caller(gateway, model), a_caller(gateway, other, allowed_models=[other.name])
    with unrestricted.sdk() as client:
        everything = client.models.list().data
        assert {model.name, other.name} <= {listed.id for listed in everything}
        assert [listed.id for listed in everything] == sorted(listed.id for listed in everything)
        assert client.models.retrieve(model.name).object == "model"
    with restricted.sdk() as client:
        (listed,) = client.models.list().data
        assert (listed.id, listed.object, listed.owned_by) == (other.name, "model", other.owned_by)
        assert client.models.retrieve(other.name) == listed
        with pytest.raises(openai.NotFoundError) as unknown:
            client.models.retrieve(model.name)
    assert unknown.value.code == "model_not_found"


def test_a_model_name_may_contain_slashes(gateway: Gateway, provider: Provider) -> None:
    model = served(gateway, factories.a_model(provider, name="vendor/large-1.0"))
    caller = a_caller(gateway, model)
    with caller.sdk() as client:
        assert client.models.retrieve("vendor/large-1.0").id == "vendor/large-1.0"
    assert caller.ask().choices[0].message.content


def test_the_key_is_accepted_in_another_header_too(acme: Caller) -> None:
    headers: Any = {"Authorization": openai.Omit(), "X-API-Key": acme.secret}
    with OpenAI(base_url=acme.gateway.base_url, api_key="unused", max_retries=0) as client:
        assert client.chat.completions.create(**acme.completion(), extra_headers=headers).choices[0].message.content
        assert client.models.list(extra_headers=headers).data
