"""Reconciliations: send in what a provider says, and see where it says something else."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from billing import money
from billing.actions import downloads, reconciliations
from billing.admin.price_forms import PriceForm
from billing.admin.reconciliation_lines import lines_of, shown, table_of
from billing.exports.download import download
from billing.models import Reconciliation
from billing.provider_exports import MOST_BYTES
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.filters import SinceFilter, ValueFilter
from compliance.admin.forms import GovernedForm
from compliance.admin.names import Names
from compliance.admin.theme import button, column
from compliance.exports.download import Download
from compliance.requests import actor_of

SHOWN = 500


class DayWidget(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """A day, with the browser's own picker."""

    input_type = "date"


class ReconciliationForm(GovernedForm):
    """Asks for a file, and what it is."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    starts_on = forms.DateField(label="First day (UTC)", widget=DayWidget)
    ends_on = forms.DateField(label="Last day (UTC)", widget=DayWidget)
    tolerance = forms.DecimalField(
        label="Tolerance, per cent",
        min_value=0,
        max_value=100,
        decimal_places=2,
        initial=Decimal("0.5"),
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="What differs by no more counts as equal. Providers cut days at their own clocks.",
    )
    export = forms.FileField(
        label="Export (CSV)",
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"UTF-8, with commas, at most {MOST_BYTES // 1024 // 1024} MB. The file itself is not kept.",
    )

    class Meta:
        model = Reconciliation
        fields = ("provider", "format", "starts_on", "ends_on", "tolerance", "export")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "provider" in self.fields:
            slugs = PriceForm.provider_slugs()
            self.fields["provider"].choices = [("", "Choose one"), *((s, s) for s in slugs)]  # type: ignore[attr-defined]

    def clean_export(self) -> "UploadedFile[bytes]":
        file: UploadedFile[bytes] = self.cleaned_data["export"]
        if (file.size or 0) > MOST_BYTES:
            raise ValidationError(f"It has more than {MOST_BYTES // 1024 // 1024} MB; export a shorter span.")
        return file

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if isinstance(percent := self.cleaned_data.get("tolerance"), Decimal):
            self.instance.tolerance_bp = int(percent * 100)
        return cleaned


class RunFilter(SinceFilter):
    field = "created_at"


class ProviderFilter(ValueFilter):
    title, parameter_name = "provider", "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        slugs = Reconciliation.objects.order_by("provider").values_list("provider", flat=True).distinct()
        return [(slug, slug) for slug in slugs]


@admin.register(Reconciliation)
class ReconciliationAdmin(GovernedAdmin):
    verbs = Verbs(noun="reconciliation", create=reconciliations.run, remove=reconciliations.remove)
    form = ReconciliationForm
    empty_hint = "Export usage or costs at a provider and send the file in: what differs from usage here is listed."
    actions_detail = ("csv",)
    list_display = ("named", "verdict", "ours", "theirs", "when")
    list_filter = (RunFilter, ProviderFilter, ("format", ChoicesDropdownFilter))
    search_fields = ("provider", "file_name")
    search_help_text = "Provider or name of the file"
    ordering = ("-created_at",)
    add_fieldsets = (
        (None, {"fields": ("provider", ("starts_on", "ends_on"), "tolerance")}),
        ("What the provider says", {"fields": ("format", "export")}),
    )
    fieldsets = (
        (None, {"fields": ("provider", "span", "verdict", "ours", "theirs")}),
        ("Lines", {"fields": ("table",)}),
        ("Made", {"fields": ("when", "who", "source")}),
    )
    readonly_fields = ("provider", "span", "verdict", "ours", "theirs", "table", "when", "who", "source")

    def get_readonly_fields(self, request: HttpRequest, obj: Reconciliation | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def create_row(self, request: HttpRequest, row: Reconciliation, form: ReconciliationForm) -> None:
        file: UploadedFile[bytes] = form.cleaned_data["export"]
        row.file_name = str(file.name)[:200]
        reconciliations.run(reconciliation=row, export=file.read(), by=actor_of(request))

    def offers(self, row: Reconciliation) -> Collection[str]:
        return ("csv",)

    @button("Download CSV", icon="download", permissions=["view"])
    def csv(self, request: HttpRequest, object_id: str) -> Download:
        row: Any = self.get_object(request, object_id)
        if row is None:
            raise Http404
        downloads.reconciliation(reconciliation_id=row.pk, form="csv", by=actor_of(request))
        return download(table_of(row), form="csv")

    @column("Provider and days (UTC)", header=True, ordering="provider")
    def named(self, row: Reconciliation) -> tuple[str, str]:
        return row.provider, self.span(row)

    @column("Days (UTC)")
    def span(self, row: Reconciliation) -> str:
        return f"{row.starts_on:%Y-%m-%d} to {row.ends_on:%Y-%m-%d}"

    @column("Result", label={"All within tolerance": "success", "Differences": "danger", "Nothing": "warning"})
    def verdict(self, row: Reconciliation) -> str:
        if row.differing:
            return "Differences"
        return "All within tolerance" if row.rows > row.ignored_rows or row.ours_nano else "Nothing"

    @column("Cost here")
    def ours(self, row: Reconciliation) -> str:
        return money.in_full(row.ours_nano)

    @column("Cost there")
    def theirs(self, row: Reconciliation) -> str:
        return "Not in the export" if row.theirs_nano is None else money.in_full(row.theirs_nano)

    @column("Made (UTC)", ordering="created_at")
    def when(self, row: Reconciliation) -> str:
        return f"{row.created_at:%Y-%m-%d %H:%M}"

    @column("By")
    def who(self, row: Reconciliation) -> SafeString | str:
        reference = (row.actor_kind, row.actor_id)
        return Names([reference]).of(*reference).link if row.actor_kind == "user" else " ".join(reference)

    @column("File")
    def source(self, row: Reconciliation) -> str:
        ignored = f", {row.ignored_rows:,} of them of other days" if row.ignored_rows else ""
        return f"{row.file_name}, {row.rows:,} rows{ignored}; SHA-256 {row.file_sha256}"

    @column("Lines")
    def table(self, row: Reconciliation) -> SafeString:
        lines = list(lines_of(row)[: SHOWN + 1])
        context = {
            "lines": [shown(line) for line in lines[:SHOWN]],
            "is_cut": len(lines) > SHOWN,
            "shown": SHOWN,
            "differing": row.differing,
            "tolerance": f"{row.tolerance_bp // 100}.{row.tolerance_bp % 100:02} %",
        }
        text = render_to_string("billing/reconciliation_lines.html", context)
        return mark_safe(text)  # noqa: S308 - an escaping template
