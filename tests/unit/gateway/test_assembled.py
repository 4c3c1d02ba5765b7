"""A stream is put together to what a whole answer would have been."""

import json
from typing import Any

import pytest

from gateway.wire.assembled import choices


def pieces(*deltas: dict[str, Any], index: int = 0, finish_reason: str | None = None) -> list[bytes]:
    """The framed events of a stream of one choice."""
    chosen: list[dict[str, Any]] = [{"index": index, "delta": delta, "finish_reason": None} for delta in deltas]
    if finish_reason:
        chosen.append({"index": index, "delta": {}, "finish_reason": finish_reason})
    return [b"data: %b\n\n" % json.dumps({"choices": [choice]}).encode() for choice in chosen]


def test_it_works() -> None:
    stream = pieces({"role": "assistant", "content": ""}, {"content": "To "}, {"content": "be"}, finish_reason="stop")
    message = {"role": "assistant", "content": "To be"}
    assert choices(stream) == [{"index": 0, "message": message, "finish_reason": "stop"}]


def test_nothing_is_no_choice() -> None:
    assert choices([]) == []


def test_it_does_not_matter_how_events_came_together() -> None:
    stream = pieces({"content": "a"}, {"content": "b"}, {"content": "c"}, finish_reason="stop")
    assert choices([b"".join(stream)]) == choices([b"".join(stream[:2]), *stream[2:]]) == choices(stream)


def test_choices_that_come_in_turns_are_told_apart() -> None:
    first, second = pieces({"content": "a"}, {"content": "b"}), pieces({"content": "x"}, {"content": "y"}, index=1)
    turns = [piece for pair in zip(second, first, strict=True) for piece in pair]
    assert [choice["message"]["content"] for choice in choices(turns)] == ["ab", "xy"]


def test_text_that_looks_like_the_frame_of_an_event_is_text() -> None:
    text = "\n\ndata: [DONE]\n\ndata: {}"
    assert choices(pieces({"content": text}))[0]["message"]["content"] == text


def test_the_chunk_that_tells_usage_adds_nothing() -> None:
    usage = b'data: {"choices": [], "usage": {"total_tokens": 3}}\n\n'
    assert choices([*pieces({"content": "a"}), usage]) == choices(pieces({"content": "a"}))


def call(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    name = {"name": fields.pop("name")} if "name" in fields else {}
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments, **name}, **fields}]}


def test_tool_calls_in_pieces_become_whole() -> None:
    stream = pieces(
        {"role": "assistant", "content": None},
        call(0, "", id="call_1", type="function", name="look_up"),
        call(0, '{"of"'),
        call(1, "{", id="call_2", type="function", name="note"),
        call(0, ":1}"),
        call(1, "}"),
        finish_reason="tool_calls",
    )
    (choice,) = choices(stream)
    calls = choice["message"]["tool_calls"]
    assert [(each["id"], each["function"]) for each in calls] == [
        ("call_1", {"arguments": '{"of":1}', "name": "look_up"}),
        ("call_2", {"arguments": "{}", "name": "note"}),
    ]
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("field", ["refusal", "reasoning_content", "reasoning", "anything_new"])
def test_text_in_whatever_field_goes_on_there(field: str) -> None:
    stream = pieces({"content": "a", field: "I "}, {field: "cannot"}, {"content": "b"})
    assert choices(stream)[0]["message"] == {"content": "ab", field: "I cannot"}


def test_lists_whose_elements_have_no_number_grow() -> None:
    stream = pieces({"annotations": [{"url": "a"}]}, {"annotations": [{"url": "b"}]})
    assert choices(stream)[0]["message"] == {"annotations": [{"url": "a"}, {"url": "b"}]}


@pytest.mark.parametrize("odd", [b"[]", b'{"choices": 5}', b'{"choices": [7]}', b'{"choices": [{"delta": 7}]}'])
def test_what_makes_no_sense_is_left_out(odd: bytes) -> None:
    (choice,) = choices([*pieces({"content": "a"}), b"data: " + odd + b"\n\n"])
    assert choice["message"]["content"] == "a"
