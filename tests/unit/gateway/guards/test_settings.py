"""What only one guard knows is of its kind and within its bounds, or refused with words for whoever set it."""

from typing import Any

import pytest

from gateway.guards import registry
from gateway.guards.base import LINE_MOST, Action, Guard, Kind, Setting
from gateway.guards.settings import OBJECT_MOST_BYTES, WrongSetting, checked


def only_even(value: int) -> None:
    if value % 2:
        raise ValueError("an even number.")


GUARD = Guard(
    name="sample",
    title="Sample",
    help="For these tests.",
    actions=(Action.LOG,),
    settings=(
        Setting(name="text", title="Text", most=5),
        Setting(name="number", title="Number", kind=Kind.NUMBER, least=0, most=1),
        Setting(name="whole", title="Whole", kind=Kind.WHOLE, least=1, check=only_even),
        Setting(name="flag", title="Flag", kind=Kind.FLAG),
        Setting(name="one", title="One", kind=Kind.CHOICE, choices=("a", "b")),
        Setting(name="some", title="Some", kind=Kind.CHOICES, choices=("a", "b")),
        Setting(name="lines", title="Lines", kind=Kind.LINES, most=2),
        Setting(name="schema", title="Schema", kind=Kind.OBJECT),
    ),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "abcde"),
        ("number", 0.5),
        ("number", 0),
        ("whole", 2),
        ("flag", False),
        ("one", "b"),
        ("some", ["a", "b"]),
        ("lines", ["x" * LINE_MOST, "y"]),
        ("schema", {"type": "object"}),
    ],
    ids=["text", "number", "zero", "whole", "no", "choice", "choices", "lines", "object"],
)
def test_what_fits_is_kept(name: str, value: Any) -> None:
    assert checked(GUARD, {name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("text", "abcdef", "Text: a text of at most 5"),
        ("text", "a\0", "Text: a text"),
        ("text", 5, "Text: a text"),
        ("number", 1.1, "Number: at most 1."),
        ("number", -0.1, "Number: at least 0."),
        ("number", float("nan"), "Number: a number."),
        ("number", True, "Number: a number."),
        ("whole", 1.5, "Whole: a whole number."),
        ("whole", True, "Whole: a whole number."),
        ("whole", 3, "Whole: an even number."),
        ("flag", "yes", "Flag: true or false."),
        ("one", "c", "One: one of a, b."),
        ("one", ["a"], "One: one of a, b."),
        ("some", "a", "Some: a list of some of a, b."),
        ("lines", ["x", "y", "z"], "Lines: at most 2"),
        ("lines", ["x" * (LINE_MOST + 1)], "Lines: a list of texts"),
        ("lines", [1], "Lines: a list of texts"),
        ("schema", ["x"], "Schema: a JSON object."),
        ("schema", {"a": "x" * OBJECT_MOST_BYTES}, "Schema: at most"),
        ("schema", {"a": "\0"}, "without NUL"),
        ("other", 1, "Sample has no setting 'other'"),
    ],
    ids=[
        *("long text", "NUL", "number as text", "above", "below", "not a number", "truth as number", "half"),
        *("truth as whole", "odd", "text as truth", "unknown choice", "list as choice", "text as choices"),
        *(
            "too many lines",
            "long line",
            "number as line",
            "list as object",
            "large object",
            "NUL in object",
            "unknown",
        ),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(WrongSetting, match=words) as refused:
        checked(GUARD, {name: value})
    assert refused.value.name == name


@pytest.mark.parametrize("value", [None, "", [], {}], ids=["null", "text", "list", "object"])
def test_what_is_empty_is_not_kept(value: Any) -> None:
    assert checked(GUARD, dict.fromkeys([setting.name for setting in GUARD.settings], value)) == {}


@pytest.mark.parametrize("name", list(registry.guards()))
def test_the_defaults_of_each_guard_fit_themselves(name: str) -> None:
    guard = registry.guards()[name]
    usual = {setting.name: _plain(setting.default) for setting in guard.settings if setting.default is not None}
    checked(guard, usual)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
