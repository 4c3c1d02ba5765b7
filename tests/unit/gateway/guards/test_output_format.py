"""Answers are held against the form that was asked for."""

import json
from typing import Any

import pytest

from gateway.guards.base import Action, Direction, Guarding, Judged, Role, Terms, Text
from gateway.guards.output_format import GUARD, expected, judge, may_retry
from gateway.guards.settings import WrongSetting, checked

PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
AS_PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
AS_OBJECT = {"type": "json_object"}


def found(
    text: str,
    wanted: Any = None,
    *,
    place: str = "choices[0].message.content",
    direction: Direction = Direction.ANSWER,
    **settings: Any,
) -> list[str]:
    texts = [Text(text, Role.ASSISTANT, place)]
    request = {"response_format": wanted} if wanted else {}
    judged = Judged(texts=texts, direction=direction, settings=settings, request=request)
    return [finding.rule for finding in judge(judged)]


@pytest.mark.parametrize(
    ("text", "wanted", "settings"),
    [
        ("anything", None, {}),
        ("anything", {"type": "text"}, {}),
        ('{"age": 36}', AS_OBJECT, {}),
        ('{"age": 36}', AS_PERSON, {}),
        ("[1]", None, {"json": True}),
        (' {"age": 36}\n', None, {"schema": PERSON}),
        ("12345", None, {"max_chars": 5}),
        ("", AS_PERSON, {}),
    ],
    ids=[
        "free",
        "text",
        "object",
        "schema",
        "JSON by policy",
        "schema by policy",
        "length",
        "nothing, as of a tool call",
    ],
)
def test_what_has_the_form_is_not_found(text: str, wanted: Any, settings: dict[str, Any]) -> None:
    assert found(text, wanted, **settings) == []


@pytest.mark.parametrize(
    ("text", "wanted", "settings", "rule"),
    [
        ("Sure! Here it is.", AS_OBJECT, {}, "not_json"),
        ('```json\n{"age": 36}\n```', AS_PERSON, {}, "not_json"),
        ('{"age": 36', AS_PERSON, {}, "not_json"),
        ("[" * 100_000, AS_OBJECT, {}, "not_json"),
        ("NaN", None, {"json": True}, "not_json"),
        ("[1]", AS_OBJECT, {}, "not_an_object"),
        ('{"age": "36"}', AS_PERSON, {}, "schema_violated"),
        ("{}", AS_OBJECT, {"schema": PERSON}, "schema_violated"),
        ("123456", None, {"max_chars": 5}, "too_long"),
        ("{}", {"type": "json_schema", "json_schema": {"schema": {"$ref": "http://x"}}}, {}, "schema_unusable"),
    ],
    ids=[
        *(
            "prose",
            "a fence",
            "cut",
            "nested",
            "no JSON number",
            "an array",
            "another type",
            "policy beside the request",
        ),
        *("length", "unusable"),
    ],
)
def test_what_has_not_is(text: str, wanted: Any, settings: dict[str, Any], rule: str) -> None:
    assert found(text, wanted, **settings) == [rule]


@pytest.mark.parametrize(
    "place",
    [
        "choices[0].message.refusal",
        "choices[0].message.reasoning_content",
        "choices[0].message.tool_calls[0].function.name",
    ],
    ids=["refusal", "reasoning", "tool"],
)
def test_what_is_not_for_the_reader_is_free(place: str) -> None:
    assert found("prose", AS_OBJECT, place=place) == []


@pytest.mark.parametrize("place", ["choices[1].message.content[0].text", "choices[1].content"], ids=["part", "short"])
def test_every_choice_and_part_counts(place: str) -> None:
    assert found("prose", AS_OBJECT, place=place) == ["not_json"]


def test_what_cannot_be_checked_is_found_before_it_is_paid_for() -> None:
    unusable = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "file:///etc/passwd"}}}
    assert found("Hello", unusable, direction=Direction.PROMPT) == ["schema_unusable"]
    assert found("Hello", AS_PERSON, direction=Direction.PROMPT) == []


@pytest.mark.parametrize(
    "wanted",
    [[], "json", {"type": 1}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": []}],
    ids=["list", "text", "number", "nothing", "no object"],
)
def test_odd_formats_raise_nothing(wanted: Any) -> None:
    assert found("prose", wanted) in ([], ["not_json"])


def test_a_model_is_asked_again_only_where_policy_says_so() -> None:
    def guarding(action: Action = Action.BLOCK, **settings: Any) -> Guarding:
        return Guarding(policy_id=1, terms=(Terms(guard="output_format", action=action, settings=settings),))

    request = {"response_format": AS_OBJECT}
    assert may_retry(guarding(retry=True), request) == expected(request, {}) is not None
    assert may_retry(guarding(retry=True), {}) is None
    assert may_retry(guarding(), request) is None
    assert may_retry(guarding(Action.OFF, retry=True), request) is None
    assert may_retry(None, request) is None


def test_settings_are_checked_when_they_are_saved() -> None:
    given = {"schema": PERSON, "retry": True, "max_chars": 100}
    assert checked(GUARD, given) == given
    for wrong in ({"schema": {"$ref": "http://acme.example/x"}}, {"max_chars": 0}, {"retry": "yes"}):
        with pytest.raises(WrongSetting):
            checked(GUARD, wrong)


def test_a_finding_quotes_nothing() -> None:
    texts = [Text(json.dumps({"age": "Lovelace"}), Role.ASSISTANT, "choices[0].message.content")]
    judged = Judged(texts=texts, direction=Direction.ANSWER, request={"response_format": AS_PERSON})
    assert "Lovelace" not in repr(judge(judged))
