"""What the official SDK sees of moderation, of the form of answers, and of requests of an abusive shape."""

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from gateway.guards.base import Action
from gateway.models import Model, Provider
from tests import factories
from tests.factories.guards import a_guard_policy, a_guard_rule
from tests.system.clients import Caller, a_caller, served
from tests.system.processes import Gateway, Sandbox

pytestmark = pytest.mark.system

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
AS_PERSON: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
GOOD, BAD = '{"age":36}', '{"age":"Lovelace"}'


@pytest.fixture(scope="module")
def moderation_model(gateway: Gateway, provider: Provider) -> Model:
    return served(gateway, factories.a_model(provider, upstream_model="sandbox-moderation"))


@pytest.fixture
def acme(gateway: Gateway, sandbox: Sandbox, model: Model, moderation_model: Model) -> Caller:
    """Its policy blocks what is flagged, holds answers to their form, asking once more, and blocks abusive shapes."""
    caller = a_caller(gateway, model, scopes=["chat", "models", "moderations"])
    rules = (
        a_guard_rule("moderation", Action.BLOCK, settings={"model": moderation_model.name}),
        a_guard_rule("output_format", Action.BLOCK, settings={"retry": True}),
        a_guard_rule("abuse", Action.BLOCK, direction="prompt", settings={"choices": 2}),
    )
    a_guard_policy(caller.tenant, rules=rules)
    return caller


def refused(error: pytest.ExceptionInfo[openai.BadRequestError], guard: str) -> None:
    assert error.value.code == "content_policy_violation"
    assert guard in error.value.message


def test_moderations(acme: Caller, moderation_model: Model) -> None:
    with acme.sdk() as client:
        moderation = client.moderations.create(model=moderation_model.name, input=["peace", "some violence"])
        assert [result.flagged for result in moderation.results] == [False, True]
        assert moderation.results[1].categories.violence
        assert moderation.results[1].category_scores.violence > 0.9
        by_policy = client.moderations.create(input="hate")
        assert by_policy.results[0].categories.hate


def test_a_guard_that_cannot_look_is_told_apart_from_one_that_found_something(gateway: Gateway, model: Model) -> None:
    caller = a_caller(gateway, model)
    rule = a_guard_rule("moderation", Action.BLOCK, settings={"model": "nobody-serves-this"})
    a_guard_policy(caller.tenant, rules=(rule,))
    with pytest.raises(openai.BadRequestError) as error:
        caller.ask()
    refused(error, "moderation")
    assert error.value.type == "content_not_checked"
    assert "could not be checked" in error.value.message


def test_a_key_without_the_scope_may_not_ask(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    with a_caller(gateway, model).sdk() as client, pytest.raises(openai.PermissionDeniedError):
        client.moderations.create(input="hate")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_flagged_prompt_is_a_bad_request(acme: Caller, sandbox: Sandbox, streamed: bool) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        acme.ask(messages=[{"role": "user", "content": "some violence"}], stream=streamed)
    refused(error, "moderation")
    assert "violence" not in str(error.value)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_flagged_answer_is_a_bad_request(acme: Caller, streamed: bool) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        acme.ask(knobs={"text": "some violence"}, stream=streamed)
    refused(error, "moderation")


def test_an_answer_is_corrected_whole(acme: Caller) -> None:
    completion = acme.ask(response_format=AS_PERSON, knobs={"text": BAD, "again": GOOD})
    assert json.loads(completion.choices[0].message.content) == {"age": 36}
    with pytest.raises(openai.BadRequestError) as error:
        acme.ask(response_format=AS_PERSON, knobs={"text": BAD})
    refused(error, "output_format")
    assert "Lovelace" not in str(error.value)


def test_an_answer_is_corrected_streamed(acme: Caller) -> None:
    sent = acme.completion(response_format=AS_PERSON, knobs={"text": BAD, "again": GOOD}, stream=True)
    with acme.sdk() as client, client.chat.completions.create(**sent) as stream:
        chunks: list[ChatCompletionChunk] = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert json.loads(text) == {"age": 36}


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 3},
        {"messages": [{"role": "user", "content": "poem " * 9_000}]},
        {"messages": [{"role": "user", "content": "Hello" + "\u200b" * 40}]},
        {"logit_bias": {str(token): 1 for token in range(301)}},
    ],
    ids=["choices", "repetition", "invisible", "logit bias"],
)
def test_an_abusive_shape_is_a_bad_request(acme: Caller, sandbox: Sandbox, fields: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        acme.ask(**fields)
    refused(error, "abuse")
    assert sandbox.requests() == []
