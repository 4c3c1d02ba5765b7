"""Which streams are kept back, and which pass and are looked at when they have ended."""

from typing import Any

import msgspec
import pytest

from gateway import answers_judged
from gateway.errors import UpstreamCut
from gateway.guards.base import Action, Direction, Guarding, OnError, Terms
from gateway.guards.defaults import default_guarding

AS_OBJECT = {"response_format": {"type": "json_object"}}
WITH_TOOLS = {"tools": [{"type": "function", "function": {"name": "search"}}]}


def kept(request: dict[str, Any], *terms: Terms) -> str:
    found = answers_judged.of(Guarding(policy_id=1, terms=terms), request)
    if not found:
        return "passes"
    return "kept back" if answers_judged.may_refuse(found) else "afterwards"


def says(guard: str, action: Action = Action.FLAG, on_error: OnError = OnError.ALLOW, **fields: Any) -> Terms:
    return Terms(guard=guard, action=action, on_error=on_error, **fields)


def test_by_default_streams_pass() -> None:
    guarding = default_guarding()
    assert answers_judged.of(guarding, {**AS_OBJECT, **WITH_TOOLS}) == []
    assert answers_judged.of(None, AS_OBJECT) == []


@pytest.mark.parametrize("guard", ["secrets", "personal_data", "links", "markup", "word_list", "canaries", "abuse"])
def test_what_looks_at_streams_while_they_pass_keeps_none_back(guard: str) -> None:
    assert kept({**AS_OBJECT, **WITH_TOOLS}, says(guard, Action.BLOCK, OnError.BLOCK)) == "passes"


@pytest.mark.parametrize(
    ("request_body", "terms", "expected"),
    [
        ({}, says("moderation"), "afterwards"),
        ({}, says("moderation", Action.BLOCK), "kept back"),
        ({}, says("moderation", on_error=OnError.BLOCK), "kept back"),
        ({}, says("moderation", Action.BLOCK, directions=frozenset({Direction.PROMPT})), "passes"),
        ({}, says("moderation", Action.OFF, OnError.BLOCK), "passes"),
        ({}, says("output_format", Action.BLOCK), "passes"),
        ({}, says("output_format", Action.BLOCK, settings={"json": True}), "kept back"),
        (AS_OBJECT, says("output_format", Action.BLOCK), "kept back"),
        (AS_OBJECT, says("output_format"), "afterwards"),
        (AS_OBJECT, says("output_format", settings={"retry": True}), "kept back"),
        (WITH_TOOLS, says("injection", Action.BLOCK), "passes"),
        (WITH_TOOLS, says("injection", Action.BLOCK, settings={"tools": ["search"]}), "kept back"),
        ({}, says("injection", Action.BLOCK, settings={"tools": ["search"]}), "passes"),
    ],
    ids=[
        *("moderation flags", "moderation blocks", "moderation may fail", "of prompts alone", "off", "no form"),
        *(
            "a form by policy",
            "a form by request",
            "a form on record",
            "asked again",
            "any tool",
            "some tools",
            "no tools",
        ),
    ],
)
def test_what_needs_all_of_an_answer(request_body: dict[str, Any], terms: Terms, expected: str) -> None:
    assert kept(request_body, terms) == expected


@pytest.mark.parametrize("mark", [{"insert": True}, {"tokens": ["Blue-Heron-77"]}, {"instructions": True}], ids=str)
def test_marks_are_looked_for_afterwards_or_before_anything_goes_out(mark: dict[str, Any]) -> None:
    assert kept({}, says("canaries", Action.BLOCK, OnError.BLOCK, settings=mark)) == "afterwards"
    assert kept({}, says("canaries", Action.BLOCK, settings={**mark, "hold": True})) == "kept back"
    assert kept({}, says("canaries", Action.BLOCK, settings={"hold": True})) == "passes"


def test_one_that_may_refuse_is_enough() -> None:
    assert kept({}, says("moderation"), says("output_format", Action.BLOCK, settings={"json": True})) == "kept back"


def test_events_are_put_together() -> None:
    events = [
        msgspec.json.encode({"choices": [{"index": index, "delta": {"content": text}}]})
        for index, text in [(0, "a"), (1, "x"), (0, "b")]
    ]
    answer = answers_judged.whole([*events, b"[DONE]"])
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["ab", "x"]


def test_events_that_cannot_be_read_are_a_cut_answer() -> None:
    with pytest.raises(UpstreamCut):
        answers_judged.whole([b"{"])
