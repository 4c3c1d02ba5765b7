"""Whether what a policy sets for a guard makes sense: each setting is of its kind, and within its bounds. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.guards.base import LINE_MOST, Guard, Kind, Setting

TEXT_MOST = 2000
LINES_MOST = 1000
OBJECT_MOST_BYTES = 64 * 1024


class WrongSetting(ValueError):
    """What is set makes no sense; the text is for whoever set it. `name`: of the setting."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def checked(guard: Guard, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are kept: without those that are empty, which have their defaults.

    Raises:
        WrongSetting: one is unknown, of another kind, or out of bounds; the first one that is.
    """
    known = {setting.name: setting for setting in guard.settings}
    if unknown := sorted(given.keys() - known.keys()):
        names = ", ".join(known) or "none"
        raise WrongSetting(unknown[0], f"{guard.title} has no setting {unknown[0][:60]!r}; it has: {names}.")
    kept = {name: _checked(known[name], value) for name, value in given.items()}
    return {name: value for name, value in kept.items() if not is_empty(value)}


def most_of(setting: Setting) -> float | None:
    """The upper bound of a setting, as `Setting.most`; None where it has none."""
    return setting.most or {Kind.TEXT: TEXT_MOST, Kind.LINES: LINES_MOST}.get(setting.kind)


def is_empty(value: Any) -> bool:
    """Whether a value says nothing, so that the default holds. `False` and 0 say something."""
    return value is None or value == "" or value == [] or value == {}


def _checked(setting: Setting, value: Any) -> Any:
    if is_empty(value):
        return None
    problem = _PROBLEMS[setting.kind](setting, value)
    if problem:
        raise WrongSetting(setting.name, f"{setting.title}: {problem}")
    if setting.check is not None:
        try:
            setting.check(value)
        except ValueError as error:
            raise WrongSetting(setting.name, f"{setting.title}: {error}") from error
    return value


def _text(setting: Setting, value: Any) -> str:
    most = int(most_of(setting) or 0)
    return "" if _is_text(value, most) else f"a text of at most {most} characters."


def _number(setting: Setting, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return "a number."
    return _bounds(setting, value)


def _whole(setting: Setting, value: Any) -> str:
    return "a whole number." if isinstance(value, bool) or not isinstance(value, int) else _bounds(setting, value)


def _bounds(setting: Setting, value: float) -> str:
    if setting.least is not None and value < setting.least:
        return f"at least {setting.least:g}."
    if setting.most is not None and value > setting.most:
        return f"at most {setting.most:g}."
    return ""


def _flag(setting: Setting, value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false."


def _choice(setting: Setting, value: Any) -> str:
    return "" if value in setting.choices else f"one of {', '.join(setting.choices)}."


def _choices(setting: Setting, value: Any) -> str:
    fits = isinstance(value, list) and all(each in setting.choices for each in value)
    return "" if fits else f"a list of some of {', '.join(setting.choices)}."


def _lines(setting: Setting, value: Any) -> str:
    most = int(most_of(setting) or 0)
    if not isinstance(value, list) or not all(_is_text(each, LINE_MOST) for each in value):
        return f"a list of texts of at most {LINE_MOST} characters each."
    return f"at most {most} of them." if len(value) > most else ""


def _object(setting: Setting, value: Any) -> str:
    if not isinstance(value, dict):
        return "a JSON object."
    text = msgspec.json.encode(value)
    if len(text) > OBJECT_MOST_BYTES or b"\\u0000" in text:
        return f"at most {OBJECT_MOST_BYTES:,} bytes of JSON, without NUL."
    return ""


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and "\0" not in value


_PROBLEMS = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.WHOLE: _whole,
    Kind.FLAG: _flag,
    Kind.CHOICE: _choice,
    Kind.CHOICES: _choices,
    Kind.LINES: _lines,
    Kind.OBJECT: _object,
}
"""By kind: what is wrong with a value, in words, or nothing."""
