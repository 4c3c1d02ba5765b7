"""What the sandbox answers, decided without a connection: prose, pieces, schemas, cuts and usage."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox import chat, knobs, schema, text
from gateway.sandbox.answer import Choice, compose
from gateway.tokens import count_tokens

SEEDS = st.integers(min_value=0, max_value=2**32)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city", "days"],
        },
    },
}


def a_choice(**fields: Any) -> Choice:
    return compose(a_request(**fields)).choices[0]


def a_request(**fields: Any) -> chat.ChatRequest:
    body = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Hello"}]} | fields
    return chat.parse(json.dumps(body).encode())


def content(choice: Choice) -> str:
    return "".join(choice.pieces)


def test_every_piece_of_every_sentence_is_one_token() -> None:
    pieces = text.prose(0, tokens=2 * len(text.SENTENCES) * text.SENTENCE_TOKENS)
    assert {count_tokens(piece, text.ENCODING) for piece in pieces} == {1}
    assert {count_tokens(sentence, text.ENCODING) for sentence in text.SENTENCES} == {text.SENTENCE_TOKENS}


@given(seed=SEEDS, tokens=st.integers(min_value=0, max_value=1500))
def test_prose_has_exactly_the_tokens_asked_for(seed: int, tokens: int) -> None:
    prose = text.prose(seed, tokens=tokens)
    assert len(prose) == tokens == count_tokens("".join(prose), text.ENCODING)


@given(seed=SEEDS, chars=st.integers(min_value=1, max_value=5000))
def test_prose_has_exactly_the_characters_asked_for_and_one_piece_per_token(seed: int, chars: int) -> None:
    prose = text.prose_of_length(seed, chars=chars)
    assert len("".join(prose)) == chars
    assert len(prose) == count_tokens("".join(prose), text.ENCODING)


@given(sample=st.text())
def test_pieces_make_the_text_and_are_as_many_as_its_tokens(sample: str) -> None:
    pieces = text.token_pieces(sample)
    assert "".join(pieces) == sample
    assert len(pieces) == count_tokens(sample, text.ENCODING)


def test_the_same_request_gets_the_same_answer_and_another_gets_another() -> None:
    again = [content(a_choice(messages=[{"role": "user", "content": name}])) for name in ("acme", "acme", "umbrella")]
    assert again[0] == again[1] != again[2]


def test_the_default_answer_is_two_whole_sentences() -> None:
    assert content(a_choice()).count(".") == 2
    assert content(a_choice()).endswith(".")


def test_choices_differ_and_their_tokens_are_summed() -> None:
    answer = compose(a_request(n=3, sandbox={"tokens": 5}))
    assert len({content(choice) for choice in answer.choices}) == 3
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 15


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(
    ("limit", "length", "reason"),
    [pytest.param(9, 9, "length", id="cut"), pytest.param(10, 10, "stop", id="just-fits")],
)
def test_the_token_limit_is_obeyed_exactly(field: str, limit: int, length: int, reason: str) -> None:
    choice = a_choice(**{field: limit, "sandbox": {"tokens": 10}})
    assert (len(choice.pieces), choice.finish_reason) == (length, reason)


def test_reasoning_is_spent_before_the_answer_and_within_the_limit() -> None:
    answer = compose(a_request(max_completion_tokens=8, sandbox={"reasoning_tokens": 6}))
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.usage.reasoning_tokens) == (8, 6)
    assert (len(answer.choices[0].pieces), answer.choices[0].finish_reason) == (2, "length")


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        pytest.param("two", "one ", id="one"),
        pytest.param(["three", "two"], "one ", id="first-of-several"),
        pytest.param("four", "one two three", id="absent"),
    ],
)
def test_the_answer_ends_before_a_stop_sequence(stop: object, expected: str) -> None:
    choice = a_choice(stop=stop, sandbox={"text": "one two three"})
    assert (content(choice), choice.finish_reason) == (expected, "stop")
    assert len(choice.pieces) == count_tokens(expected, text.ENCODING)


def test_a_prompt_costs_its_texts_its_framing_and_its_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    parts = [{"type": "text", "text": "tiktoken is great!"}, image, image]
    request = a_request(messages=[{"role": "user", "content": parts}, {"role": "assistant", "content": None}])
    assert chat.prompt_tokens(request) == 6 + 2 * 85 + 2 * 4 + 3


@pytest.mark.parametrize(
    ("fields", "called", "reason"),
    [
        pytest.param({}, False, "stop", id="not-asked"),
        pytest.param({"tool_choice": "required"}, True, "tool_calls", id="required"),
        pytest.param({"sandbox": {"tool_call": True}}, True, "tool_calls", id="knob"),
        pytest.param({"tool_choice": "none", "sandbox": {"tool_call": True}}, False, "stop", id="forbidden"),
        pytest.param({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, True, "stop", id="named"),
        pytest.param({"tool_choice": "required", "max_tokens": 2}, True, "length", id="cut"),
    ],
)
def test_a_tool_is_called_when_asked_for(fields: dict[str, Any], called: bool, reason: str) -> None:
    choice = a_choice(tools=[WEATHER], **fields)
    assert (choice.call is not None, choice.finish_reason) == (called, reason)


def test_tool_arguments_are_those_the_function_requires() -> None:
    choice = a_choice(tools=[WEATHER], tool_choice="required")
    assert json.loads(content(choice)) == {"city": "example", "days": 1}


NODES: dict[str, Any] = {
    "node": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}, "id": {"const": 7}},
        "required": ["next", "id"],
    }
}


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"type": "object", "properties": {"a": {"type": "string"}}}, id="nothing-required"),
        pytest.param({"$ref": "#/$defs/node", "$defs": NODES}, id="recursive"),
        pytest.param({"type": "string", "minLength": 12, "maxLength": 14}, id="long-string"),
        pytest.param({"type": "string", "maxLength": 3}, id="short-string"),
        pytest.param({"type": ["integer", "null"]}, id="nullable"),
        pytest.param({"type": "integer", "exclusiveMinimum": 10, "multipleOf": 4}, id="multiple"),
        pytest.param({"type": "number", "minimum": 0.25, "maximum": 0.5}, id="fraction"),
        pytest.param({"type": "integer", "maximum": -3}, id="negative"),
        pytest.param({"enum": ["red", "green"]}, id="enum"),
        pytest.param({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, id="array"),
        pytest.param({"type": "array", "prefixItems": [{"type": "null"}, True]}, id="tuple"),
        pytest.param(
            {"allOf": [{"$ref": "#/$defs/node"}, {"type": "object", "required": ["b"]}], "$defs": NODES},
            id="all-of",
        ),
        pytest.param({"oneOf": [{"type": "number"}, {"type": "string"}]}, id="one-of"),
    ],
)
def test_an_instance_is_valid_under_its_schema(wanted: dict[str, Any]) -> None:
    jsonschema_rs.validate(wanted, schema.instance_of(wanted))


def test_a_schema_that_requires_itself_without_end_still_gets_an_answer() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert "next" in schema.instance_of(endless)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"cut_after_chunks": 0}, 0, id="cut-at-once"),
        pytest.param({"error_after_chunks": 3}, 3, id="error"),
        pytest.param({"malformed": True}, 1, id="malformed"),
    ],
)
def test_a_fault_comes_after_the_chunks_asked_for(asked: dict[str, Any], expected: int | None) -> None:
    assert knobs.Knobs(**asked).chunks_before_fault() == expected
