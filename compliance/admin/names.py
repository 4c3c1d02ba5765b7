"""Names of rows that are referred to by plain values, fetched in bulk: one query per kind, whatever app it is of."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.contrib import admin
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from compliance.admin.links import link

SPELLED = {"rootkey": "root key"}
"""What has no table in the admin, in words."""
NOBODY = {("tenant", "0"): "Canaries of backups", ("auditlog", "all"): "all audit logs"}
"""What has no row, and is somebody all the same (`backups/canaries.py`)."""
Reference = tuple[str, str]
"""A kind, as in `Target.kind`, and a primary key as text."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a row is called, and where its page is; a row that is gone keeps its number."""

    label: str
    url: str = ""

    def __str__(self) -> str:
        return self.label

    @property
    def link(self) -> SafeString:
        return link(self.url, self.label) if self.url else format_html("{}", self.label)


class Names:
    """The names of one page's references."""

    def __init__(self, references: Iterable[Reference] = ()) -> None:
        wanted: dict[str, set[str]] = defaultdict(set)
        for kind, key in references:
            wanted[kind].add(key)
        self._known = {(kind, key): name for kind, keys in wanted.items() for key, name in _fetch(kind, keys).items()}

    def of(self, kind: str, key: object) -> Name:
        """The name of a row that was among the references, or its number."""
        return self._known.get((kind, str(key))) or Name(_unnamed(kind, str(key)))


def choices(kind: str, *, most: int = 1000) -> list[tuple[str, str]]:
    """The first rows of a kind by its own order, for a filter."""
    model = _model_of(kind)
    return [(str(row.pk), label(row)) for row in _rows(model)[:most]] if model else []


def values(kind: str, field: str) -> list[tuple[str, str]]:
    """The values that a field of such rows can have, and their names."""
    model = _model_of(kind)
    found = model._meta.get_field(field).choices if model else None  # type: ignore[union-attr]
    return [(str(value), str(name)) for value, name in found or ()]


def label(row: models.Model) -> str:
    """What a row is called among others to choose from: as its table's own admin says, where it does."""
    label_of: Callable[[models.Model], str] = getattr(admin.site._registry.get(type(row)), "label_of", _title)
    return label_of(row)


def _unnamed(kind: str, key: str) -> str:
    """What has no row, or none any more: its kind and its number. What was only asked for has no number yet."""
    if (kind, key) in NOBODY:
        return NOBODY[kind, key]
    model = _model_of(kind)
    spelled = SPELLED.get(kind) or (str(model._meta.verbose_name) if model else kind)
    return f"{spelled} that was asked for" if key == str(None) else f"{spelled} {key}"


def _fetch(kind: str, keys: set[str]) -> dict[str, Name]:
    model = _model_of(kind)
    if model is None:
        return {}
    numbers = [int(key) for key in keys if key.isdecimal() and len(key) < 19]
    url = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    rows = _rows(model).filter(pk__in=numbers)
    return {str(row.pk): Name(_title(row), reverse(url, args=(row.pk,))) for row in rows}


def _title(row: models.Model) -> str:
    """As the table's own admin calls the row, where it says so."""
    title_of: Callable[[models.Model], str] = getattr(admin.site._registry.get(type(row)), "title_of", str)
    return title_of(row)


def _rows(model: type[models.Model]) -> models.QuerySet[models.Model]:
    related: bool | Sequence[str] = admin.site._registry[model].list_select_related
    rows = model._default_manager.all()
    return rows.select_related(*related) if isinstance(related, Sequence) and related else rows


def _model_of(kind: str) -> type[models.Model] | None:
    return next((model for model in admin.site._registry if model._meta.model_name == kind), None)
