"""The sandbox's moderations: flagged for what a text names, the same each time, and failing on request."""

import json
from typing import Any

import pytest

from gateway.sandbox import moderation
from gateway.sandbox.errors import ApiError


def moderated(**body: Any) -> list[dict[str, Any]]:
    request = moderation.parse(json.dumps({"model": moderation.MODEL, **body}).encode())
    results: list[dict[str, Any]] = json.loads(moderation.answer(request, id="x"))["results"]
    return results


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("peace", set()),
        ("Violence!", {"violence"}),
        ("nonviolence", set()),
        ("self-harm intent", {"self-harm", "self-harm/intent"}),
    ],
    ids=["nothing", "a word", "part of a word", "two words"],
)
def test_a_text_is_flagged_for_the_categories_that_it_names(text: str, flagged: set[str]) -> None:
    (result,) = moderated(input=text)
    assert {name for name, flag in result["categories"].items() if flag} == flagged
    assert {name for name, score in result["category_scores"].items() if score > 0.5} == flagged
    assert result["flagged"] == bool(flagged)
    assert moderated(input=text) == [result]


def test_texts_get_a_result_each_and_parts_one_together() -> None:
    assert [result["flagged"] for result in moderated(input=["hate", "peace"])] == [True, False]
    assert len(moderated(input=[{"type": "text", "text": "a"}, {"type": "image_url"}])) == 1


@pytest.mark.parametrize(
    "body",
    [{"input": []}, {"input": 1}, {"input": ["x"] * 33}, {"input": "x", "model": "other"}],
    ids=["empty", "number", "many", "model"],
)
def test_what_is_wrong_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        moderated(**body)


def test_names_of_models_play_faults() -> None:
    body = json.dumps({"input": "x", "model": "sandbox-moderation-hang"}).encode()
    assert moderation.parse(body).knobs.hang
