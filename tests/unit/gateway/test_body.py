"""From bytes to a typed request."""

import json
import re
import unicodedata
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.wire.body import NESTED_MOST, parse, typed
from gateway.wire.chat import ChatRequest

# Control characters come up often; what is no valid Unicode never does.
TEXT = st.text(st.one_of(st.characters(categories=["Cc"]), st.characters(exclude_categories=["Cs"])), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


def texts_in(value: Any) -> list[str]:
    """Every text in `value`, keys too."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *texts_in(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) else []


def cleaned(value: Any) -> Any:
    """`value` without control characters, by Unicode's own table."""
    if isinstance(value, str):
        return "".join(c for c in value if unicodedata.category(c) != "Cc" or c in "\t\n\r")
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value


@given(value=st.dictionaries(TEXT, JSON, max_size=5), ascii_only=st.booleans())
def test_no_control_character_survives_and_nothing_else_is_lost(value: dict[str, Any], ascii_only: bool) -> None:
    parsed = parse(json.dumps(value, ensure_ascii=ascii_only).encode())
    assert not [text for text in texts_in(parsed) if cleaned(text) != text]
    assert parsed == cleaned(value)


@pytest.mark.parametrize("escape", [r"\u0000", r"\u001F", r"\u007f", r"\u007F", r"\u0080", r"\u009F", r"\b", r"\f"])
def test_every_way_to_write_a_control_character_is_seen(escape: str) -> None:
    assert parse(b'{"a":"x%sy"}' % escape.encode()) == {"a": "xy"}


def test_backslashes_that_escape_nothing_stay() -> None:
    assert parse(rb'{"a":"\\u0000 \\\\b C:\\new"}') == {"a": r"\u0000 \\b C:\new"}


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(InvalidRequest):
        assert isinstance(parse(body), dict)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_nesting_is_limited_wherever_it_is(opening: str, closing: str) -> None:
    def nested(levels: int) -> bytes:
        inner = opening * (levels - 1) + r'"\u0000"' + closing * (levels - 1)
        return f'{{"wide": [{"[]," * 300} {{}}], "deep": {inner}}}'.encode()

    assert parse(nested(NESTED_MOST))
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        parse(nested(NESTED_MOST + 1))
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        parse(nested(100_000))


GREETING: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def wrong_field(payload: dict[str, Any]) -> str | None:
    """The field that is found wrong; None when all are right."""
    try:
        typed(payload, ChatRequest)
    except InvalidRequest as error:
        return error.param or "a field that was not named"
    return None


@given(st.dictionaries(st.sampled_from([*ChatRequest.__struct_fields__, "other"]), JSON, max_size=6))
def test_any_fields_make_a_request_or_name_the_wrong_one(fields: dict[str, Any]) -> None:
    param = wrong_field({**GREETING, **fields})
    assert param is None or re.split(r"[.\[]", param)[0] in {**GREETING, **fields}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "user"}, {"content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"temperature": 3}, "temperature"),
    ],
    ids=["missing in an element", "missing in a part", "value of an object", "nested", "out of range"],
)
def test_the_field_is_named_in_full(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        typed({**GREETING, **fields}, ChatRequest)
    assert refusal.value.param == param
    assert param in str(refusal.value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        typed({"messages": GREETING["messages"]}, ChatRequest)
    assert refusal.value.param == "model"
