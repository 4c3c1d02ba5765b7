"""Fields for what only one guard knows, made of what the guard says of its settings."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from gateway.guards.base import Kind, Setting

PREFIX = "set_"
"""Of the names of such fields."""


class RowsField(forms.CharField):
    """A list of texts, one a line; commas are part of a text."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        return list(dict.fromkeys(line.strip() for line in super().clean(value).splitlines() if line.strip()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(list(initial or []) != self.clean(data))


class ObjectField(forms.JSONField):
    """JSON, or nothing."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class YesNoField(forms.TypedChoiceField):
    """Yes, no, or what is usual."""

    def __init__(self, *, usually: bool, **kwargs: Any) -> None:
        usual = f"As usual ({'yes' if usually else 'no'})"
        choices = [("", usual), ("true", "Yes"), ("false", "No")]
        super().__init__(choices=choices, coerce=lambda text: text == "true", empty_value=None, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((self.prepare_value(initial) or "") != (data or ""))


def fields_of(settings: tuple[Setting, ...]) -> dict[str, forms.Field]:
    """A field for each setting, by the name of the field."""
    return {PREFIX + setting.name: _field(setting) for setting in settings}


def initial_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields show of what is set."""
    return {PREFIX + name: value for name, value in settings.items()}


def given_in(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What was filled in, as settings."""
    return {name.removeprefix(PREFIX): value for name, value in cleaned.items() if name.startswith(PREFIX)}


def _field(setting: Setting) -> forms.Field:
    about: dict[str, Any] = {
        "label": setting.title[:1].upper() + setting.title[1:],
        "help_text": setting.help,
        "required": False,
    }
    match setting.kind:
        case Kind.FLAG:
            return YesNoField(usually=bool(setting.default), widget=UnfoldAdminSelectWidget, **about)
        case Kind.CHOICE:
            usual = f"As usual ({setting.default})" if setting.default else "None"
            choices = [("", usual), *((each, each) for each in setting.choices)]
            return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget, **about)
        case Kind.CHOICES:
            several = [(each, each) for each in setting.choices]
            return forms.MultipleChoiceField(choices=several, widget=UnfoldAdminCheckboxSelectMultipleWidget, **about)
        case Kind.LINES:
            return RowsField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, **_usual(setting)}), **about)
        case Kind.OBJECT:
            return ObjectField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, **_usual(setting)}), **about)
        case _:
            field: forms.Field = _TYPED[setting.kind](widget=UnfoldAdminTextInputWidget(attrs=_usual(setting)), **about)
            return field


def _usual(setting: Setting) -> dict[str, str]:
    """The default, as what shows where nothing is filled in."""
    value = setting.default
    if value is None or value == "":
        return {}
    if isinstance(value, list | tuple):
        return {"placeholder": "\n".join(map(str, value))}
    return {"placeholder": json.dumps(value) if isinstance(value, dict) else str(value)}


_TYPED: dict[Kind, type[Any]] = {
    Kind.TEXT: forms.CharField,
    Kind.NUMBER: forms.FloatField,
    Kind.WHOLE: forms.IntegerField,
}
