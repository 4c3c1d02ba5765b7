"""A stored conversation as a page shows it, whoever wrote it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance import conversation


def asked(*messages: Any, answer: Any = None, **others: Any) -> dict[str, Any]:
    return {"request": {"messages": list(messages), **others}, "answer": answer}


def test_it_works() -> None:
    content = asked(
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        answer={"choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]},
        model="gpt",
    )
    found = conversation.read(content)
    assert [(turn.role, turn.parts[0].text, turn.is_answer) for turn in found.turns] == [
        ("System", "Be kind.", False),
        ("User", "Hello", False),
        ("Assistant", "Hi", True),
    ]
    assert found.turns[-1].note == "ended: stop"
    assert json.loads(found.settings) == {"model": "gpt"}
    assert not found.is_cut


def test_calls_of_tools_and_their_results_are_told_apart_from_what_was_said() -> None:
    call = {"id": "c1", "function": {"name": "weather", "arguments": '{"town":"Bern"}'}}
    found = conversation.read(
        asked(
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        )
    )
    first, second = found.turns
    assert (first.parts[0].kind, first.parts[0].label) == ("call", "weather")
    assert json.loads(first.parts[0].text) == {"town": "Bern"}
    assert (second.role, second.note, second.parts[0].kind, second.parts[0].text) == ("Tool", "c1", "result", "rain")


def test_a_refusal_is_one() -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": None, "refusal": "I cannot."}}]}
    (part,) = conversation.read(asked(answer=answer)).turns[0].parts
    assert (part.kind, part.text) == ("refusal", "I cannot.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\x00\x1b[31m", "a⟨U+0000⟩⟨U+001B⟩[31m"),
        ("\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("lone \ud800", "lone ⟨U+D800⟩"),
        ("two\nlines\tand שלום, 👩‍👧", "two\nlines\tand שלום, 👩‍👧"),
    ],
    ids=["override", "control", "isolates", "zero width", "half a pair", "harmless"],
)
def test_nothing_hides_or_turns_around(text: str, shown: str) -> None:
    assert conversation.visible(text) == shown


def test_long_texts_are_cut_and_say_by_how_much() -> None:
    found = conversation.read(asked({"role": "user", "content": "x" * 1_000_000}))
    (part,) = found.turns[0].parts
    assert len(part.text) == conversation.MOST_CHARACTERS
    assert part.cut == 1_000_000 - conversation.MOST_CHARACTERS
    assert found.is_cut


def test_a_page_has_room_for_so_much_in_all() -> None:
    found = conversation.read(asked(*[{"role": "user", "content": "x" * 10_000}] * 100))
    assert sum(len(part.text) for turn in found.turns for part in turn.parts) <= conversation.MOST_TOTAL
    assert len(found.turns) == 20
    assert found.is_cut


def test_so_many_turns_and_no_more() -> None:
    found = conversation.read(asked(*[{"role": "user", "content": "x"}] * 1000))
    assert len(found.turns) == conversation.MOST_TURNS
    assert found.is_cut


NAMES = ["request", "answer", "messages", "choices", "message", "role", "content", "type", "text", "tool_calls"]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(anything)
def test_whatever_was_stored_can_be_shown(content: Any) -> None:
    found = conversation.read(content)
    assert all(conversation.visible(part.text) == part.text for turn in found.turns for part in turn.parts)
    assert json.loads(conversation.as_file(content)) == content
