"""OpenAI's dialect: what is sent to upstreams, and what is read of their answers."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Rates, Tokens
from gateway.providers.openai import DONE, EventBuffer, headers, read, read_usage, request_body, url
from gateway.routing import Route

EVENT_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
)


def a_route(**fields: Any) -> Route:
    values: dict[str, Any] = {
        "provider": "sandbox",
        "base_url": "http://127.0.0.1/v1",
        "upstream_model": "upstream",
        "credential": "",
        "output_limit_field": "max_completion_tokens",
        "connect_timeout_s": 1,
        "read_timeout_s": 1,
        "total_timeout_s": 1,
        "rates": Rates(input_nano=1, output_nano=1, cached_input_nano=1, cache_write_nano=1),
    }
    return Route(**{**values, **fields})


@given(
    events=st.lists(EVENT_TEXT.filter(bool), max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_however_a_stream_is_cut_into_pieces_its_events_are_the_same(
    events: list[str], end: str, cuts: list[int]
) -> None:
    data = "".join(f": comment{end}data: {text}{end}id: 7{end}{end}" for text in events).encode()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    buffer = EventBuffer()
    found = [event for start, stop in pairwise(places) for event in buffer.feed(data[start:stop])]
    assert found == [text.encode() for text in events]


def test_each_event_is_there_as_soon_as_it_is_complete() -> None:
    buffer = EventBuffer()
    assert buffer.feed(b"data: 1\n") == []
    assert buffer.feed(b"\ndata: 2\n\nda") == [b"1", b"2"]
    assert buffer.feed(b"ta:3\n\n: keep-alive\n\n\n\ndata: [DONE]\n\n") == [b"3", DONE]


def test_an_event_without_end_is_refused() -> None:
    buffer = EventBuffer()
    buffer.MOST_BYTES = 100
    with pytest.raises(ValueError, match="too large"):
        buffer.feed(b"data: " + b"x" * 200)


def sent_of(payload: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What the upstream gets of a client's body."""
    values = {"route": a_route(), "output_limit": 7, "service_tier": None, "end_user": "", "stream": False, **fields}
    sent: dict[str, Any] = json.loads(request_body(payload, **values))
    return sent


def test_the_upstreams_model_and_limit_are_put_in_and_the_rest_stays() -> None:
    payload = {"model": "public", "messages": [], "future": {"a": [1, None, 2.5]}}
    whole = sent_of(payload)
    assert whole == {**payload, "model": "upstream", "max_completion_tokens": 7}
    streamed = sent_of(payload, stream=True)
    assert streamed == {**whole, "stream_options": {"include_usage": True}}
    other = {**payload, "stream_options": {"include_usage": False, "include_obfuscation": False}}
    sent = sent_of(other, stream=True)
    assert sent["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert "stream_options" not in payload, "the client's own body is left as it is"


def test_the_limit_stands_in_the_field_that_the_upstream_heeds_and_in_no_other() -> None:
    payload = {"messages": [], "max_tokens": 9, "max_completion_tokens": 8}
    sent = sent_of(payload, output_limit=9)
    assert sent == {"messages": [], "model": "upstream", "max_completion_tokens": 9}


def test_a_service_tier_that_is_priced_is_asked_for_by_name() -> None:
    sent = sent_of({}, service_tier="default")
    assert sent["service_tier"] == "default"


@pytest.mark.parametrize(
    ("payload", "replaced"),
    [
        pytest.param({"user": "ada@acme.example"}, {"user"}, id="user"),
        pytest.param({"safety_identifier": "ada@acme.example"}, {"safety_identifier"}, id="safety_identifier"),
        pytest.param({"safety_identifier": "ada", "user": "Ada"}, {"safety_identifier", "user"}, id="both"),
        pytest.param({"user": None, "safety_identifier": ""}, set(), id="neither names anybody"),
        pytest.param({"prompt_cache_key": "ada", "metadata": {"who": "ada"}}, set(), id="what is not for that stays"),
    ],
)
def test_the_upstream_knows_people_by_their_pseudonym_only(payload: dict[str, Any], replaced: set[str]) -> None:
    sent = sent_of({"messages": [], **payload}, end_user="eu_x")
    assert {name: sent[name] for name in payload} == {**payload, **dict.fromkeys(replaced, "eu_x")}


def test_where_and_with_what_it_is_sent() -> None:
    assert url(a_route()) == "http://127.0.0.1/v1/chat/completions"
    assert headers(a_route(credential="sk-1"))["Authorization"] == "Bearer sk-1"
    assert "Authorization" not in headers(a_route())


USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (USAGE, Tokens(input=10, output=5)),
        ({**USAGE, "prompt_tokens_details": None, "completion_tokens_details": {}}, Tokens(input=10, output=5)),
        (
            {
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Tokens(input=10, output=5, cached_input=4, cache_write=2, reasoning=3),
        ),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 11}}, None),
        ({**USAGE, "prompt_tokens": -1}, None),
        ({**USAGE, "completion_tokens": 2**50}, None),
        ({**USAGE, "completion_tokens": None}, None),
        ({"prompt_tokens": "10", "completion_tokens": 5}, None),
        ({}, None),
        ([], None),
    ],
    ids=[
        "plain",
        "empty details",
        "details",
        "more cached than sent",
        "negative",
        "enormous",
        "half",
        "text",
        "empty",
        "array",
    ],
)
def test_usage_is_read_where_it_makes_sense(usage: Any, tokens: Tokens | None) -> None:
    assert read_usage(json.dumps(usage).encode()) == tokens


@pytest.mark.parametrize(
    "usage", [USAGE, {**USAGE, "prompt_tokens_details": {"cached_tokens": 11}}], ids=["sane", "not"]
)
def test_a_chunk_of_usage_alone_is_told_apart_even_when_it_makes_no_sense(usage: Any) -> None:
    assert read(json.dumps({"choices": [], "usage": usage}).encode()).only_usage
    assert not read(json.dumps({"choices": [{"delta": {"content": "x"}}], "usage": usage}).encode()).only_usage
    assert not read(b'{"choices": [], "usage": null}').only_usage
    assert not read(b'{"choices": []}').only_usage


def test_all_that_a_model_wrote_is_counted() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    message = {"content": "a", "refusal": "b", "reasoning_content": "c", "tool_calls": [call], "other": 1}
    assert (
        read(json.dumps({"choices": [{"message": message}, {"delta": {"content": "z"}}]}).encode()).produced
        == "abcf{}z"
    )


SHAPES: dict[str, tuple[Any, str]] = {
    "nothing": ({"role": "assistant", "content": None, "annotations": [], "audio": None, "reasoning": None}, ""),
    "text": ({"role": "assistant", "content": "abc"}, "abc"),
    "call": (
        {"tool_calls": [{"index": 0, "id": "i", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        "f{}",
    ),
    "custom tool": ({"tool_calls": [{"index": 0, "id": "i", "custom": {"name": "c", "input": "abc"}}]}, "cabc"),
    "call of a new kind": ({"tool_calls": [{"type": "new", "new": {"program": ["ab", "c"]}}]}, "abc"),
    "arguments that are no text": ({"tool_calls": [{"function": {"arguments": {"a": 17}}}]}, '{"a":17}'),
    "one call, as it was once": ({"function_call": {"name": "f", "arguments": "{}"}}, "f{}"),
    "reasoning": ({"content": "", "reasoning": "abc"}, "abc"),
    "reasoning in parts": (
        {"reasoning_details": [{"type": "reasoning.text", "text": "abc", "signature": "s", "index": 0}]},
        "abc",
    ),
    "reasoning under each of its names": (
        {"reasoning": "abc", "reasoning_content": "abc", "reasoning_details": [{"text": "abc"}], "content": "abc"},
        "abcabc",
    ),
    "spoken": ({"audio": {"id": "i", "data": "UklGRg==", "expires_at": 1, "transcript": "abc"}}, "abc"),
    "parts of text": ({"content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "bc"}]}, "abc"),
    "a field of the future": ({"content": "a", "future": {"deep": [{"er": "bc"}]}}, "abc"),
}


@pytest.mark.parametrize("place", ["message", "delta"])
@pytest.mark.parametrize(("written", "counted"), SHAPES.values(), ids=SHAPES.keys())
def test_what_a_model_wrote_is_counted_in_whatever_form(place: str, written: Any, counted: str) -> None:
    found = read(json.dumps({"choices": [{place: written, "finish_reason": "stop"}]}).encode())
    assert (found.produced, found.finished) == (counted, True)
    assert not read(json.dumps({"choices": [{place: written, "finish_reason": None}]}).encode()).finished


def test_a_message_does_not_hide_what_stands_beside_it() -> None:
    assert read(b'{"choices": [{"message": {}, "delta": {"content": "abc"}}]}').produced == "abc"


@pytest.mark.parametrize(
    ("said", "recorded"),
    [("priority", "priority"), ("a\x00b\x1b\nc", "abc"), ("x" * 5_000_000, "x" * 20), (7, ""), (None, "")],
    ids=["plain", "control characters", "enormous", "number", "none"],
)
def test_a_service_tier_is_read_as_far_as_it_may_be_recorded(said: Any, recorded: str) -> None:
    assert read(json.dumps({"choices": [], "service_tier": said}).encode()).service_tier == recorded


def test_an_error_in_place_of_a_chunk_is_seen() -> None:
    assert read(b'{"error": {"message": "x"}}').error
    assert not read(b'{"choices": [], "error": null}').error


def test_an_answer_in_another_form_is_read_for_what_counts() -> None:
    found = read(b'{"choices": [{"message": {"content": [{"text": "ab"}]}}], "usage": null}')
    assert "ab" in found.produced
    found = read(b'{"choices": null, "usage": {"prompt_tokens": 3, "completion_tokens": 4}}')
    assert (found.tokens, found.only_usage) == (Tokens(input=3, output=4), True)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"], ids=range(5))
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read(data)
