"""What the admin takes from its theme (django-unfold), with types."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from unfold import decorators

if TYPE_CHECKING:
    from django.contrib import admin

    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.views import ChangeList

__all__ = ["ChangeList", "ModelAdmin", "TabularInline", "button", "column"]

Method = TypeVar("Method", bound=Callable[..., Any])


def column(heading: str, **options: Any) -> Callable[[Method], Method]:
    """Marks a method as a column, or a read-only field, under `heading`; `options` are those of unfold's `display`."""
    decorate: Callable[[Method], Method] = decorators.display(description=heading, **options)
    return decorate


def button(text: str, **options: Any) -> Callable[[Method], Method]:
    """Marks a method as a button on a row's page; `options` are those of unfold's `action`."""
    decorate: Callable[[Method], Method] = decorators.action(description=text, **options)
    return decorate
