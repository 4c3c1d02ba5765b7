"""Answers of the usual form are read at one go, and say the same as when they are gone through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import plain, texts

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "sandbox-small",
    "system_fingerprint": "fp_1",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello Ada", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 8,
        "completion_tokens": 2,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 0},
    },
}


def body(**fields: Any) -> bytes:
    return json.dumps({**ANSWER, **fields}).encode()


def with_message(**fields: Any) -> bytes:
    choice = ANSWER["choices"][0]
    return body(choices=[{**choice, "message": {**choice["message"], **fields}}])


def test_the_usual_form_is_read() -> None:
    found = plain.texts_of(body())
    assert found == texts.of_answer(ANSWER)
    assert found is not None
    assert [each.text for each in found] == ["Hello Ada"]


@pytest.mark.parametrize(
    "body",
    [
        body(id="my number is 4111 1111 1111 1111"),
        body(note="4111 1111 1111 1111"),
        body(object="ada@example.com"),
        body(usage={"prompt_tokens": 8, "ada@example.com": 1}),
        with_message(role="ada@example.com"),
        with_message(refusal="I will not"),
        with_message(reasoning_content="hm"),
        with_message(annotations=[{"url": "https://example.com"}]),
        with_message(tool_calls=[{"id": "1"}]),
        with_message(content=[{"type": "text", "text": "Hello"}]),
        body().replace(b'"refusal": null', b'"refusal": null, "content": "Hello"'),
        body().replace(b'"refusal": null', b'"refusal": null, "refusal": null'),
        body().replace(b'"created"', b'"model": "other", "created"'),
        body(choices=[]).replace(b"[]", json.dumps(ANSWER["choices"]).encode() + b', "choices": []'),
        with_message(content="COLON").replace(b"COLON", rb'\u003a", "content": "Hello'),
        with_message(content="COLON").replace(b"COLON", rb'\u003A", "content": "Hello'),
        b"[1]",
        b"{",
        b"[" * 100_000,
    ],
    ids=range(19),
)
def test_any_other_is_left_to_be_gone_through(body: bytes) -> None:
    assert plain.texts_of(body) is None


_VALUES = (
    st.none() | st.integers(0, 9) | st.text(max_size=5) | st.sampled_from(["stop", "assistant", "chat.completion"])
)
_NAMES = st.sampled_from(["id", "object", "model", "usage", "created", "service_tier", "choices", "other"])
_PARTS = st.dictionaries(st.sampled_from(["role", "content", "refusal", "index", "message", "finish_reason"]), _VALUES)


@given(st.dictionaries(_NAMES, _VALUES), st.lists(_PARTS, max_size=2), st.lists(_PARTS, max_size=2))
def test_it_never_says_anything_else(
    fields: dict[str, Any], messages: list[dict[str, Any]], choices: list[dict[str, Any]]
) -> None:
    usual = [{**ANSWER["choices"][0], "message": {"role": "assistant", **message}} for message in messages]
    answer = {**ANSWER, "choices": [*usual, *choices], **fields}
    found = plain.texts_of(json.dumps(answer).encode())
    assert found is None or found == texts.of_answer(answer)


_STRINGS = st.text(st.characters(codec="ascii", categories=("L", "P")), max_size=6)


@given(content=_STRINGS, name=st.sampled_from(["content", "refusal", "annotations"]), second=st.none() | _STRINGS)
def test_what_says_a_name_twice_is_never_read(content: str, name: str, second: str | None) -> None:
    """Whatever stands in its strings, and however that is written."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in content)
    for written in (json.dumps(content)[1:-1], escaped, escaped.upper().replace("\\U", "\\u")):
        once = with_message(content="HERE").replace(b"HERE", written.encode())
        twice = once.replace(b'"role"', f'"{name}": {json.dumps(second)}, "role"'.encode())
        assert plain.texts_of(twice) is None
