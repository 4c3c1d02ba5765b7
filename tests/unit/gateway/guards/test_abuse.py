"""Requests whose shape is abusive are found, and what people and programs really send is not."""

import json
from typing import Any

import pytest

from gateway.guards.abuse import GUARD, judge, repeated
from gateway.guards.base import Direction, Judged, Role, Text

PROSE = (
    "Ada asked the compliance officer whether the report for acme had arrived; it had, with two remarks on page four, "
    "one about the retention of logs and one about who may read them. Neither was new, and both were right. "
)


def found(request: dict[str, Any] | None = None, text: str = "", **settings: int) -> list[str]:
    texts = [Text(text, Role.USER, "messages[0].content")]
    judged = Judged(texts=texts, direction=Direction.PROMPT, settings=settings, request=request or {})
    return [finding.rule for finding in judge(judged)]


def nested(levels: int) -> dict[str, Any]:
    """A body of so many levels of objects."""
    body: dict[str, Any] = {}
    for _ in range(levels - 1):
        body = {"in": body}
    return body


@pytest.mark.parametrize(
    ("request_body", "rule"),
    [
        ({"messages": [{}] * 2_001}, "messages"),
        ({"n": 129}, "choices"),
        ({"logit_bias": {str(token): 1 for token in range(301)}}, "logit_bias"),
        ({"tools": [{}] * 129}, "tools"),
        ({"stop": ["x"] * 17}, "stops"),
        (nested(65), "nesting"),
    ],
    ids=["messages", "choices", "logit bias", "tools", "stop words", "nesting"],
)
def test_what_exceeds_a_bound_is_found(request_body: dict[str, Any], rule: str) -> None:
    assert found(request_body) == [rule]


@pytest.mark.parametrize(
    "request_body",
    [
        {},
        {"messages": [{}] * 2_000, "n": 128, "tools": [{}] * 128, "stop": ["x"] * 16},
        {"logit_bias": {str(token): 1 for token in range(300)}},
        {"stop": "a long stop word, of more than sixteen characters", "n": None, "tools": None},
        nested(64),
    ],
    ids=["nothing", "all at their bounds", "logit bias", "other types", "nesting"],
)
def test_what_keeps_to_its_bounds_is_not(request_body: dict[str, Any]) -> None:
    assert found(request_body) == []


def test_policy_sets_the_bounds() -> None:
    body = {"n": 3, "messages": [{"content": [{}]}]}
    assert found(body, choices=2, nesting=4) == ["choices", "nesting"]
    assert found(body, choices=3, nesting=5) == []


def test_depth_costs_no_stack() -> None:
    assert found(nested(50_000)) == ["nesting"]


@pytest.mark.parametrize(
    "unit",
    ["poem ", "a", " ", "\n", "company\n", "0, ", "诗", "🙂", PROSE[:60]],
    ids=lambda unit: f"{len(unit)}-{ord(unit[0]):x}",
)
def test_repetition_at_length_is_found(unit: str) -> None:
    flood = unit * (40_000 // len(unit))
    assert "repetition" in found(text=flood)
    assert "repetition" in found(text=PROSE * 20 + flood), "also behind other text"
    assert "repetition" not in found(text=unit * (4_000 // len(unit))), "some of it is harmless"


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(
            f"2026-01-01T00:{i // 60:02d}:{i % 60:02d} INFO request {i * 37} took {i % 17} ms" for i in range(900)
        ),
        json.dumps([{"id": i, "name": f"item {i * 7919 % 1000}", "price": i * 37 % 501} for i in range(900)]),
        "".join(f"{i},{i * i},{i * 31 % 97}\n" for i in range(4_000)),
        PROSE * 3,
        "def f(x):\n    return x\n\n\n" * 30 + PROSE,
    ],
    ids=["a log", "JSON", "a table", "prose", "code"],
)
def test_texts_of_work_are_not_repetition(text: str) -> None:
    assert found(text=text) == []


def test_repetition_is_counted_in_characters() -> None:
    assert repeated("") == 0
    assert repeated("诗" * 40_960) == pytest.approx(40_960, rel=0.1)


@pytest.mark.parametrize(
    "text",
    [
        "x" + "\u200b" * 33,
        "\U000e0041" * 33,
        "\u202e\u2066" * 17,
        "a" + "\u0301" * 33,
        "i\u200b\u200bg\u200b\u200b" * 400,
    ],
    ids=["zero width", "tags", "directions", "piled marks", "between letters"],
)
def test_floods_of_what_is_not_seen_are_found(text: str) -> None:
    assert found(text=text) == ["invisible"]
    assert found(text=PROSE + text * 40)[-1] == "invisible"


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧‍👦 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿" * 30,
        "می\u200cخواهم کتاب\u200cها را بخوانم " * 30,
        "क्\u200dष " * 30,
        "Tiếng Việt, naïve, Ω̂ " * 30,
    ],
    ids=["emoji", "Persian", "Hindi", "accents"],
)
def test_writing_that_needs_them_is_not(text: str) -> None:
    assert found(text=text) == []


def test_a_finding_has_its_place_and_no_text() -> None:
    text = Text("\u200b" * 40, Role.TOOL, "messages[3].content")
    (finding,) = judge(Judged(texts=[text], direction=Direction.PROMPT))
    assert (finding.guard, finding.rule, finding.place) == ("abuse", "invisible", "messages[3].content")


def test_every_rule_is_named() -> None:
    assert set(GUARD.rule_names) == {
        *(setting.name for setting in GUARD.settings if setting.name != "repeated"),
        "repetition",
    }
