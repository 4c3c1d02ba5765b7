"""From bytes to a typed request: parsing, removal of control characters, and messages that name the field."""

import re
from typing import Any, TypeVar

import msgspec

from gateway.errors import InvalidRequest, TooLarge

T = TypeVar("T")

# Every control character (Unicode category Cc) but tab, newline and carriage return.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# How one can look in a JSON text: escaped, or as itself. Finds too much rather than too little.
_SUSPECT = re.compile(rb"\\u00[0189]|\\u007[fF]|\\[bf]|\x7f|\xc2[\x80-\x9f]")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_AT = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_decode = msgspec.json.Decoder().decode

ITEMS_MOST = 100_000
"""Of all arrays and objects together. What a body of millions of them would cost is paid by everybody's requests."""

NESTED_MOST = 200
"""Levels of arrays and objects. What reads or writes the body later on does so recursively, on Python's stack."""


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is, without control characters in any of its texts.

    Raises:
        InvalidRequest: it is not one.
        TooLarge: it has more parts than a prompt could need.
    """
    if len(body) > ITEMS_MOST and signs_of(body) > 2 * ITEMS_MOST:
        raise TooLarge(f"The body has too many parts; at most {ITEMS_MOST} items are read.")
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    if body.count(b"{") + body.count(b"[") > NESTED_MOST and _is_deep(value):
        raise InvalidRequest(f"The body is nested too deeply; at most {NESTED_MOST} levels are read.")
    return without_control(value) if _SUSPECT.search(body) else value


def signs_of(data: bytes) -> int:
    """How many commas and opening brackets JSON has: at least one, and at most two, for each of its items."""
    return data.count(b",") + data.count(b"{") + data.count(b"[")


def typed(payload: dict[str, Any], shape: type[T]) -> T:
    """`payload` as `shape`.

    Raises:
        InvalidRequest: a field is missing or wrong; `param` names it.
    """
    try:
        return msgspec.convert(payload, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        at = _AT.search(text)
        param = _param(text, at[1] if at else "")
        reason = text[: at.start()] if at else text
        raise InvalidRequest(
            f"Invalid value for '{param}': {reason}." if param else f"{reason}.", param=param
        ) from error


def _param(text: str, at: str) -> str | None:
    """The field that msgspec's `text` is about; where one is missing, `at` is only the object that misses it."""
    missing = _MISSING.search(text)
    return ".".join(filter(None, [at.removesuffix("[...]"), missing[1] if missing else ""])) or None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(NESTED_MOST):
        groups = (item.values() if isinstance(item, dict) else item for item in level)
        level = [inner for group in groups for inner in group if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def without_control(value: Any) -> Any:
    """The same without control characters, in the names of fields too."""
    match value:
        case str():
            return _CONTROL.sub("", value)
        case dict():
            return {without_control(key): without_control(item) for key, item in value.items()}
        case list():
            return [without_control(item) for item in value]
        case _:
            return value
