"""From bytes to a typed request: parsing, removal of control characters, and messages that name the field."""

import re
from typing import Any, TypeVar

import msgspec

from gateway.errors import InvalidRequest

T = TypeVar("T")

# Every control character (Unicode category Cc) but tab, newline and carriage return.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# How one can look in a JSON text: escaped, or as itself. Finds too much rather than too little.
_SUSPECT = re.compile(rb"\\u00[0189]|\\u007[fF]|\\[bf]|\x7f|\xc2[\x80-\x9f]")
_AT = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_decode = msgspec.json.Decoder().decode


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is, without control characters in any of its texts.

    Raises:
        InvalidRequest: it is not one.
    """
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return _without_control(value) if _SUSPECT.search(body) else value


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
        param = at[1] if at else _missing(text)
        reason = text[: at.start()] if at else text
        raise InvalidRequest(
            f"Invalid value for '{param}': {reason}." if param else f"{reason}.", param=param
        ) from error


def _missing(text: str) -> str | None:
    """The field that msgspec found missing at the top level, where it names no place."""
    found = re.search(r"missing required field `([^`]+)`", text)
    return found[1] if found else None


def _without_control(value: Any) -> Any:
    match value:
        case str():
            return _CONTROL.sub("", value)
        case dict():
            return {_without_control(key): _without_control(item) for key, item in value.items()}
        case list():
            return [_without_control(item) for item in value]
        case _:
            return value
