"""The form that asks for a report. It shows what `report_params` finds wrong, and checks nothing by itself."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.http import QueryDict
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.models import ApiKey, Application, Tenant
from accounts.tokens import ENVIRONMENTS
from billing import reports
from billing.report_params import NONE, Asked, BadParameter
from billing.report_spans import TITLES as SPAN_TITLES
from billing.report_spans import SpanName
from billing.report_table import TITLES
from billing.reports import Dimension
from compliance.admin import names

MOST_CHOICES = 1000
Choices = list[tuple[str, str]]
BY_TAG = "tag:"
"""In the field that splits, before the name of a tag."""


def _select(label: str, **attributes: str) -> forms.CharField:
    return forms.CharField(label=label, required=False, widget=UnfoldAdminSelectWidget(attrs=attributes))


def _text(label: str, *, kind: str = "text", hint: str = "") -> forms.CharField:
    attributes = {"type": kind, "autocomplete": "off"}
    return forms.CharField(
        label=label, required=False, help_text=hint, widget=UnfoldAdminTextInputWidget(attrs=attributes)
    )


class AskForm(forms.Form):
    """Fields are called as the parameters are, but for `split`, which names a tag as well."""

    span = _select("Days", **{"x-model": "span"})
    split = _select("Split by")
    tenant = _select("Tenant")
    application = _select("Application")
    api_key = _select("API key")
    environment = _select("Environment")
    model = _select("Model")
    provider = _select("Provider")
    end_user = _text("End user", hint="A surrogate, or beside a tenant the application's own identifier.")
    tag = _select("Tag")
    tag_value = _text("Value of the tag")

    def __init__(self, params: Mapping[str, str], choices: Mapping[str, Choices], error: BadParameter | None) -> None:
        values = dict(params)
        if values.get("split") == Dimension.TAG and values.get("tag"):
            values["split"] = BY_TAG + values["tag"]
        super().__init__(values)
        self.fields["from"] = _text("First day", kind="date")
        self.fields["to"] = _text("Last day", kind="date")
        for name, some in choices.items():
            _offer(self.fields[name], some, chosen=values.get(name, ""))
        if error is not None:
            self.add_error(error.param if error.param in self.fields else None, str(error))

    @property
    def span_name(self) -> str:
        """For the script that shows the fields of a custom span."""
        has_days = self.data.get("from") or self.data.get("to")
        fallback = SpanName.CUSTOM if has_days else SpanName.THIS_MONTH
        sent = self.data.get("span")
        return sent if sent in set(SpanName) else str(fallback)

    @property
    def days(self) -> list[forms.BoundField]:
        return [self["from"], self["to"]]

    @property
    def filters(self) -> list[forms.BoundField]:
        names = ("application", "api_key", "environment", "model", "provider", "end_user", "tag", "tag_value")
        return [self[name] for name in names]

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(field.name) or field.errors for field in self.filters)


def _offer(field: forms.Field, choices: Choices, *, chosen: str) -> None:
    """What is chosen stays in the list, also where nothing in the span has it."""
    values = [value for value, _ in choices]
    field.widget.choices = choices if chosen in values else [*choices, (chosen, chosen)]


def choices(asked: Asked | None) -> dict[str, Choices]:
    """What the lists offer; of a tenant, when one is chosen."""
    tenant = asked.tenant if asked else None
    tags = reports.tags(tenant.pk) if tenant else []
    splits = [(str(by), TITLES[by]) for by in Dimension if by is not Dimension.TAG]
    return {
        "span": [(str(name), title) for name, title in SPAN_TITLES.items()],
        "split": [*splits, *((f"{BY_TAG}{tag}", f"Tag {tag}") for tag in tags)],
        "tenant": _any("All tenants", [(row.slug, row.name) for row in Tenant.objects.all()[:MOST_CHOICES]]),
        "application": _any("All", _rows(Application, tenant, "tenant")),
        "api_key": _any("All", _rows(ApiKey, tenant, "application__tenant")),
        "environment": _any("All", [(name, name.capitalize()) for name in ENVIRONMENTS]),
        "model": _any("All", _used(asked, Dimension.MODEL)),
        "provider": _any("All", _used(asked, Dimension.PROVIDER)),
        "tag": _any("None" if tenant else "Choose a tenant first", [(tag, tag) for tag in tags]),
    }


def _any(title: str, some: Iterable[tuple[str, str]]) -> Choices:
    return [("", title), *some]


def _rows(model: Any, tenant: Tenant | None, related: str) -> Choices:
    rows = model.objects.select_related(related)
    rows = rows.filter(tenant=tenant) if tenant else rows
    return [(str(row.pk), names.label(row)) for row in rows[:MOST_CHOICES]]


def _used(asked: Asked | None, by: Dimension) -> Choices:
    """What there is usage of in the span."""
    if asked is None:
        return []
    query = replace(asked.query, by=by, tag="", filters={}, most=MOST_CHOICES)
    return [(key or NONE, label or key or NONE) for key, label in reports.keys(query) if key != reports.OTHERS]


def sent_params(posted: QueryDict) -> QueryDict:
    """The parameters that the filled-in form asks for: without what is empty, or does not count.

    Raises:
        BadParameter: it names two tags.
    """
    params = QueryDict(mutable=True)
    for name in (*AskForm.base_fields, "from", "to", "limit"):
        if text := str(posted.get(name, "")).strip():
            params[name] = text
    if params.get("span") != SpanName.CUSTOM:
        params.pop("from", None)
        params.pop("to", None)
    if (split := str(params.get("split", ""))).startswith(BY_TAG):
        tag = split.removeprefix(BY_TAG)
        if params.get("tag", tag) != tag:
            raise BadParameter("tag", f"A report speaks of one tag: it is split by {tag} already.")
        params["split"], params["tag"] = str(Dimension.TAG), tag
    return params
