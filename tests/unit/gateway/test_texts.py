"""Guards see every text that goes through, and what they change goes back to where it stood."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.base import Role, Text
from gateway.wire import texts

WORD = "tellurium"
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def request(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages) or [{"role": "user", "content": "Hello"}], **fields}


def seen(payload: dict[str, Any]) -> set[tuple[str, str]]:
    """The texts with their roles, without those that every request has."""
    return {(text.text, text.role.value) for text in texts.of_request(payload)} - {("Hello", "user")}


def test_it_works() -> None:
    payload = request(
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": PICTURE}}],
        },
    )
    assert texts.of_request(payload) == [
        Text("Be kind.", Role.SYSTEM, "messages[0].content"),
        Text("Hi", Role.USER, "messages[1].content[0].text"),
    ]


@pytest.mark.parametrize(
    ("fields", "role"),
    [
        ({"metadata": {"team": WORD}}, "metadata"),
        ({"metadata": {WORD: "x"}}, "metadata"),
        ({"stop": WORD}, "definition"),
        ({"stop": ["a", WORD]}, "definition"),
        ({"tools": [{"type": "function", "function": {"name": "f", "description": WORD}}]}, "definition"),
        ({"tools": [{"type": "function", "function": {"parameters": {"properties": {WORD: {}}}}}]}, "definition"),
        ({"tool_choice": {"type": "function", "function": {"name": WORD}}}, "definition"),
        ({"functions": [{"name": WORD}]}, "definition"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": WORD}}}, "definition"),
        ({"prediction": {"type": "content", "content": WORD}}, "definition"),
        ({"prediction": {"type": "content", "content": [{"type": "text", "text": WORD}]}}, "definition"),
        ({"web_search_options": {"user_location": {"approximate": {"city": WORD}}}}, "definition"),
        ({"prompt_cache_key": WORD}, "definition"),
        ({"logit_bias": {WORD: 1}}, "definition"),
        ({"future": [[{"deep": {"er": WORD}}]]}, "definition"),
        ({WORD: 1}, "definition"),
        ({"service_tier": WORD}, "definition"),
        ({"metadata": {"id": WORD}}, "metadata"),
        ({"metadata": {"data": WORD}}, "metadata"),
        ({"metadata": {"role": WORD}}, "metadata"),
        ({"metadata": {"signature": WORD}}, "metadata"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_every_field_of_a_request_is_seen(fields: dict[str, Any], role: str) -> None:
    assert (WORD, role) in seen(request(**fields))


@pytest.mark.parametrize(
    ("message", "role"),
    [
        ({"role": "developer", "content": WORD}, "system"),
        ({"role": "user", "content": "x", "name": WORD}, "user"),
        ({"role": "assistant", "refusal": WORD}, "assistant"),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": WORD}]}, "assistant"),
        ({"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": WORD}}]}, "assistant"),
        ({"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"arguments": WORD}}]}, "assistant"),
        ({"role": "assistant", "tool_calls": [{"id": "call_1", "custom": {"input": WORD}}]}, "assistant"),
        ({"role": "assistant", "function_call": {"arguments": WORD}}, "assistant"),
        ({"role": "assistant", "reasoning_content": WORD}, "assistant"),
        ({"role": "tool", "tool_call_id": "call_1", "content": WORD}, "tool"),
        ({"role": "function", "name": "f", "content": WORD}, "tool"),
        ({"role": "user", "content": [{"type": "file", "file": {"filename": WORD}}]}, "user"),
        ({"role": "user", "content": [{"type": "file", "file": {"file_data": WORD}}]}, "user"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": WORD}}]}, "user"),
        ({"role": "user", "content": [{"type": "text", "text": "x", "future": {"a": WORD}}]}, "user"),
        ({"role": "user", "content": "x", WORD: 1}, "user"),
        ({"role": "user", "content": "x", "id": WORD}, "user"),
        ({"role": "user", "content": [{"type": "text", "text": "x", "role": WORD}]}, "user"),
        ({"role": "assistant", "content": [{"type": "text", "text": "x", "data": WORD}]}, "assistant"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_every_field_of_a_message_is_seen_under_its_role(message: dict[str, Any], role: str) -> None:
    assert (WORD, role) in seen(request(message))


@pytest.mark.parametrize(
    "fields",
    [
        {"model": WORD},
        {"user": WORD, "safety_identifier": WORD},
        {"temperature": 0.5, "n": 2, "stream": True, "seed": 1_234_567},
        {"tools": [{"type": "function"}], "response_format": {"type": "json_object"}},
    ],
    ids=["model", "person", "settings", "words"],
)
def test_what_is_replaced_or_the_same_for_all_is_left_out(fields: dict[str, Any]) -> None:
    assert seen({**request(), **fields}) == set()


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "input_audio", "input_audio": {"data": "UklGRiQAAAA=", "format": "low"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjQK"}},
    ],
    ids=["picture", "sound", "PDF"],
)
def test_pictures_sounds_and_files_that_are_no_text_are_left_out(part: dict[str, Any]) -> None:
    assert seen(request({"role": "user", "content": [part]})) == set()


@pytest.mark.parametrize(
    "url",
    [
        "data:text/plain;base64,aGVsbG8=",
        "data:application/pdf;base64,aGVsbG8=",
        f"{PICTURE} {WORD}",
        "https://example.com/?q=ada",
        f"data:{WORD}",
    ],
    ids=["text", "no PDF", "more than a picture", "link", "no picture"],
)
def test_what_only_looks_like_a_picture_is_seen(url: str) -> None:
    found = seen(request({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}))
    assert found == {(url, "user")}


@pytest.mark.parametrize(
    "text",
    ["data:image/svg+xml;base64,PHN2Zz4=", "data:image/png;name=ada;base64,iVBORw0KGgo=", "data:image/png;base64,4111"],
    ids=["text in a picture", "parameter", "digits"],
)
def test_a_picture_is_one_by_its_kind_and_its_beginning(text: str) -> None:
    found = seen(request({"role": "user", "content": [{"type": "image_url", "image_url": {"url": text}}]}))
    assert found == {(text, "user")}


SEALED = "aB3+" * 20
OPAQUE = [PICTURE, "UklGRiQAAAA=", SEALED]


@pytest.mark.parametrize("text", OPAQUE, ids=["picture", "sound", "sealed"])
@pytest.mark.parametrize("field", ["data", "url", "image_url", "file_data", "signature", "encrypted_content"])
def test_what_is_no_text_in_its_place_is_one_in_any_other(field: str, text: str) -> None:
    inner = {"plain": {field: text}, "audio": {field: text}, "image_url": {field: text}, "content": [{field: text}]}
    payload = request(
        {"role": "user", "content": [{"type": "text", "text": "Hello", "inner": inner}], "input_audio": {field: text}},
        metadata=inner,
        tools=[{"type": "function", "function": {"name": "f", "parameters": inner}}],
        future=inner,
    )
    found = [each.place for each in texts.of_request(payload) if each.text == text]
    assert len(found) == 4 * 4 + 1


@pytest.mark.parametrize(
    "field", ["role", "signature", "finish_reason", "encrypted_content", "data", "id", "call_id", "type", "format"]
)
def test_no_name_of_a_field_hides_a_text(field: str) -> None:
    for text in (f"mail {WORD}", "4111111111111111", f"AKIA{WORD}"):
        inner = {field: text}
        payload = request(
            {"role": "user", "content": [{"type": "text", "text": "Hello", **inner}], "tool_calls": [inner]},
            metadata=inner,
            tools=[{"function": {"parameters": inner}}],
            future=inner,
        )
        assert [each.text for each in texts.of_request(payload)].count(text) == 5


@pytest.mark.parametrize("field", ["signature", "data"])
def test_what_a_model_has_sealed_is_left_out_of_its_earlier_answers(field: str) -> None:
    detail = {"type": "text", field: SEALED}
    assert seen(request({"role": "assistant", "content": "Hello", "reasoning_details": [detail]})) == {
        ("Hello", "assistant")
    }
    assert (SEALED, "user") in seen(request({"role": "user", "content": "Hello", "reasoning_details": [detail]}))
    digits = {**detail, field: f"{SEALED[:64]}4111111111111111"}
    assert len(seen(request({"role": "assistant", "content": "Hello", "reasoning_details": [digits]}))) == 2


def test_words_of_the_protocol_are_texts_where_somebody_says_them() -> None:
    assert ("system", "assistant") in seen(request({"role": "assistant", "content": "system"}))
    assert ("system", "metadata") in seen(request(metadata={"team": "system"}))


@pytest.mark.parametrize("identifier", ["call_a1B2", "ada@example.com", "4111111111111111", "AKIA1"])
def test_identifiers_are_seen(identifier: str) -> None:
    payload = request({"role": "tool", "tool_call_id": identifier, "content": "x"})
    assert (identifier, "tool") in seen(payload)


def test_long_numbers_are_texts_and_become_texts_where_they_are_changed() -> None:
    payload = request(future={"card": 4111111111111111, "float": 4111111111111111.0, "small": 411, "half": 0.5})
    assert {text for text, _ in seen(payload)} == {"future", "card", "float", "small", "half", "4111111111111111"}
    changed = texts.request_with(payload, {"future.card": "[CARD]", "future.float": "[CARD]"})
    assert changed["future"] == {"card": "[CARD]", "float": "[CARD]", "small": 411, "half": 0.5}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4111111111111111, "4111111111111111"),
        (-4111111111111111, "4111111111111111"),
        (4.111111111111111e15, "4111111111111111"),
        (4111111111111111.5, "4111111111111111 | 41111111111111115"),
        (41111111.11111111, "41111111 | 4111111111111111"),
        (0.4111111111111111, "4111111111111111"),
        (10**30, "1" + "0" * 30),
    ],
)
@pytest.mark.parametrize("field", ["seed", "top_logprobs", "future", "temperature"])
def test_a_number_of_many_digits_is_seen_wherever_it_stands(field: str, number: float, text: str) -> None:
    assert (text, "definition") in seen(request(**{field: number}))


def test_a_setting_that_must_not_go_out_has_no_value() -> None:
    payload = request(seed=4111111111111111, logit_bias={"5": 4111111111111111}, n=1)
    changed = texts.request_with(payload, {"seed": "[CARD]", "logit_bias.5": "[CARD]"})
    assert changed == {**payload, "seed": None, "logit_bias": {"5": "[CARD]"}}


def test_a_number_in_groups_is_seen_as_one() -> None:
    payload = request(
        future={"a": [4111, 1111, 1111, 1111], "b": [4, *[1] * 15], "c": [1, 22, 333], "d": [2, *range(20)]}
    )
    found = [text for text in texts.of_request(payload) if text.text.isdigit()]
    assert {text.text for text in found} == {"4111111111111111"}
    changed = texts.request_with(payload, {found[0].place: "[CARD]"})
    assert changed["future"] == {**payload["future"], "a": ["[CARD]"]}


def test_arguments_are_read_as_they_are_meant_and_stay_json() -> None:
    arguments = json.dumps({"note": "Card:\n4111", "é": '"'})
    payload = request({"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"arguments": arguments}}]})
    found = texts.of_request(payload)[1]
    assert "Card:\n4111" in found.text
    changed = texts.request_with(payload, {found.place: found.text.replace("4111", "[CARD]")})
    (call,) = changed["messages"][0]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"note": "Card:\n[CARD]", "é": '"'}


def test_names_that_look_like_paths_do_not_meet_others() -> None:
    payload = request(future={"a.b": "one", "a": {"b": "two", "[0]": "three"}, "": "four"})
    places = [text.place for text in texts.of_request(payload)]
    assert len(places) == len(set(places))
    changed = texts.request_with(payload, {text.place: "x" for text in texts.of_request(payload) if text.text == "two"})
    assert changed["future"] == {"a.b": "one", "a": {"b": "x", "[0]": "three"}, "": "four"}


def test_names_that_become_the_same_lose_nothing() -> None:
    payload = request(metadata={"ada@example.com": "1", "bob@example.com": "2"})
    changed = texts.request_with(payload, {"metadata#0": "[EMAIL]", "metadata#1": "[EMAIL]"})
    assert changed["metadata"] == {"[EMAIL]": "1", "[EMAIL]_": "2"}


def test_a_change_leaves_the_request_as_it_was() -> None:
    payload = request({"role": "user", "content": "one"}, {"role": "user", "content": "two"})
    changed = texts.request_with(payload, {"messages[1].content": "three"})
    assert [message["content"] for message in payload["messages"]] == ["one", "two"]
    assert [message["content"] for message in changed["messages"]] == ["one", "three"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(future=VALUES, content=st.text())
def test_without_changes_it_is_the_same(future: Any, content: str) -> None:
    payload = request({"role": "user", "content": content}, future=future)
    assert texts.request_with(payload, {}) == payload


@given(future=VALUES)
def test_no_text_is_overlooked(future: Any) -> None:
    """After all texts are changed, nothing of the values is left that a person could have written."""
    payload = request(future=future)
    changed = texts.request_with(payload, {text.place: "" for text in texts.of_request(payload)})
    left = [text.text for text in texts.of_request({**changed, "messages": request()["messages"]})]
    assert [text for text in left if text.strip("_") not in ("", "Hello", "future")] == []


@given(future=VALUES)
def test_places_tell_texts_apart(future: Any) -> None:
    places = [text.place for text in texts.of_request(request(future=future))]
    assert len(places) == len(set(places))


ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": WORD, "logprob": -0.1, "bytes": [1]}]},
            "message": {
                "role": "assistant",
                "content": "the content",
                "refusal": "the refusal",
                "reasoning_content": "the reasoning",
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://x", "title": "the title"}}],
                "audio": {"id": "audio_1", "data": "AAAA", "transcript": "the transcript", "expires_at": 1_700_000_000},
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":"b"}'}}
                ],
            },
        },
        {"index": 1, "message": {"content": [{"type": "text", "text": "a part"}]}},
    ],
    "usage": {"prompt_tokens": 12_345_678},
    "citations": ["https://y"],
}


def test_all_that_an_answer_says_is_seen() -> None:
    found = {text.text for text in texts.of_answer(ANSWER)}
    said = {"the content", "the refusal", "the reasoning", "the title", "the transcript", "a part", '{"a":"b"}'}
    assert found == said | {"f", "call_1", "audio_1", "https://x", "https://y", "citations"}
    assert {text.role for text in texts.of_answer(ANSWER)} == {Role.ASSISTANT}


def test_an_answer_with_changes_has_nothing_else_changed() -> None:
    changed = texts.answer_with(ANSWER, {"choices[0].message.content": "x"})
    assert changed["choices"][0]["message"] == {**ANSWER["choices"][0]["message"], "content": "x"}
    assert changed["choices"][1] is ANSWER["choices"][1]
    assert list(changed) == list(ANSWER)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a b"},
        {"model": "a b"},
        {"obfuscation": "a b"},
        {"system_fingerprint": ["a b"]},
        {"usage": {"note": "a b"}},
    ],
    ids=str,
)
def test_what_is_said_of_an_answer_is_seen_where_it_has_another_form(fields: dict[str, Any]) -> None:
    (text,) = (text for text in texts.of_answer({**ANSWER, **fields}) if text.text == "a b")
    assert texts.answer_with({**ANSWER, **fields}, {text.place: "x"}) != {**ANSWER, **fields}


def test_a_field_of_an_answer_whose_name_is_changed_is_gone() -> None:
    answer = {**ANSWER, "Ada Lovelace": 1, "last": 2}
    (name,) = (text for text in texts.of_answer(answer) if text.text == "Ada Lovelace")
    assert list(texts.answer_with(answer, {name.place: "x"})) == [*ANSWER, "x", "last"]


def test_log_probabilities_do_not_tell_what_a_text_was() -> None:
    assert WORD not in json.dumps(texts.without_logprobs(ANSWER))
    assert texts.without_logprobs({"choices": "?"}) == {"choices": "?"}


_SETTINGS = st.sampled_from(["model", "max_tokens", "temperature", "seed", "stream", "user", "stop", "other", "n"])
_SETTING_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
_MESSAGES: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "narrator"])},
        optional={"content": st.text(max_size=5) | st.none() | st.just([]), "name": st.text(max_size=5)},
    ),
    max_size=3,
)


@given(st.dictionaries(_SETTINGS, _SETTING_VALUES), _MESSAGES)
def test_what_is_read_at_one_go_is_what_a_walk_finds(settings: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    payload = {**settings, "messages": messages}
    assert texts.of_request(payload) == texts._collected(texts._request, payload)
