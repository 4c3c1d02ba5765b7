"""What of a request counts as prompt: every text that reaches the upstream, in whatever field."""

from typing import Any

import pytest

from gateway.routing import ModelRoutes
from gateway.stages.admit import input_estimate
from gateway.wire.prompt import prompt_of

LONG = "word " * 20_000
MODEL = ModelRoutes(
    name="m",
    owned_by="acme",
    created=0,
    tokenizer="o200k_base",
    hidden_reasoning=False,
    image_tokens_most=3_000,
    context_tokens=None,
    routes=(),
)


def estimate(**fields: Any) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return input_estimate(prompt_of(body), model=MODEL)


def in_a_message(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi", **fields}]}


def test_it_works() -> None:
    assert estimate() == 1 + 4 + 3


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(in_a_message(content=LONG), id="content"),
        pytest.param(in_a_message(content=[{"type": "text", "text": LONG}]), id="a text part"),
        pytest.param(in_a_message(content=[{"type": "refusal", "refusal": LONG}]), id="a refusal part"),
        pytest.param(in_a_message(content=[{"type": "file", "file": {"file_data": LONG}}]), id="a file"),
        pytest.param(in_a_message(content=[{"type": "input_audio", "input_audio": {"data": LONG}}]), id="audio"),
        pytest.param(in_a_message(tool_calls=[{"function": {"name": "f", "arguments": LONG}}]), id="tool arguments"),
        pytest.param(in_a_message(name=LONG), id="a name"),
        pytest.param(in_a_message(reasoning_content=LONG), id="an unknown field of a message"),
        pytest.param({"tools": [{"function": {"description": LONG}}]}, id="tools"),
        pytest.param({"functions": [{"name": "f", "description": LONG}]}, id="functions"),
        pytest.param({"response_format": {"json_schema": {"description": LONG}}}, id="a schema"),
        pytest.param({"prediction": {"type": "content", "content": LONG}}, id="a prediction"),
        pytest.param({"something_new": LONG}, id="an unknown field"),
    ],
)
def test_a_long_text_counts_wherever_it_stands(fields: dict[str, Any]) -> None:
    assert estimate(**fields) >= 20_000


def test_an_image_counts_as_one_however_it_is_encoded() -> None:
    data = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    assert estimate(**in_a_message(content=[data])) == MODEL.image_tokens_most + 4 + 3


@pytest.mark.parametrize("name", ["temperature", "metadata", "user", "stop", "seed"])
def test_settings_do_not_count(name: str) -> None:
    assert estimate(**{name: LONG}) == estimate()
