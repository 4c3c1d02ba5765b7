"""Nothing that a streamed answer says hides behind the name of a field, and sounds and pictures pass as they are."""

import json
from typing import Any

import pytest

from gateway.wire.deltas import Rewriter
from gateway.wire.escapes import TextStream
from tests.unit.gateway.streams import Masking

PICTURE = "data:image/png;base64,iVBORw0KGgo="


def passed(delta: dict[str, Any]) -> str:
    """What goes out of a chunk, with a word masked."""

    def begin(place: str, is_json: bool) -> TextStream:
        return Masking("secret")

    through = Rewriter(begin)
    chunk = {"choices": [{"index": 0, "delta": delta}]}
    return b"".join([*through.event(json.dumps(chunk).encode()), *through.finish()]).decode()


@pytest.mark.parametrize(
    "field",
    ["role", "signature", "encrypted_content", "id", "call_id", "tool_call_id", "type", "format", "data", "url"],
)
def test_no_name_of_a_field_hides_a_text(field: str) -> None:
    for value in ("a secret", "secret"):
        for delta in ({field: value}, {"tool_calls": [{"index": 0, field: value}]}, {"audio": {field: f"{value}!"}}):
            assert "secret" not in passed(delta)


def test_names_of_fields_hide_no_picture_with_a_parameter() -> None:
    url = "data:image/png;name=secret;base64,iVBORw0KGgo="
    assert "secret" not in passed({"images": [{"image_url": {"url": url}}]})


@pytest.mark.parametrize(
    "delta",
    [
        {"audio": {"data": "AAsecretAA=="}},
        {"images": [{"type": "image_url", "image_url": {"url": PICTURE.replace("=", "secret")}}]},
        {"signature": "aB3+" * 20 + "secret"},
    ],
    ids=["sound", "picture", "sealed"],
)
def test_what_is_no_text_passes(delta: dict[str, Any]) -> None:
    assert json.loads(passed(delta))["choices"][0]["delta"] == delta
