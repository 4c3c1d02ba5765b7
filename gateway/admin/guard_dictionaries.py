"""Dictionaries of tenants: uploaded as files, changed word by word. What is in them is not shown."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.jobs import is_silent
from compliance.admin.theme import column
from compliance.models import JobRun
from compliance.requests import actor_of
from gateway.actions import guard_dictionaries
from gateway.admin.guard_settings import RowsField
from gateway.dictionary_files import MOST_BYTES
from gateway.models import GuardDictionary

STATES = {"Active": "success", "Off": "warning", "Compiling": "info", "No words": "warning", "Upload refused": "danger"}


class DictionaryForm(GovernedForm):
    """Words come as a file, in place of all others, or a few of them as they are."""

    file = forms.FileField(
        required=False,
        label="New words",
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"A file in UTF-8 of at most {MOST_BYTES // 2**20} MB with an entry a line, or CSV (*.csv), of which "
        "the first column counts. It takes the place of all words that are there. Entries have 2 to 60 characters and "
        "may have several words; case and accents of form do not matter.",
    )
    add_words = RowsField(
        required=False,
        label="Add",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autocomplete": "off"}),
        help_text="One entry a line.",
    )
    remove_words = RowsField(
        required=False,
        label="Take out",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autocomplete": "off"}),
        help_text="One entry a line.",
    )

    class Meta:
        model = GuardDictionary
        fields = ("tenant", "name", "prefixes", "active")


@admin.register(GuardDictionary)
class GuardDictionaryAdmin(GovernedAdmin):
    verbs = Verbs(
        noun="dictionary",
        create=guard_dictionaries.add,
        change=guard_dictionaries.change,
        remove=guard_dictionaries.remove,
    )
    form = DictionaryForm
    empty_hint = "A dictionary is looked for by policies of its tenant whose guard Dictionaries is on."
    list_display = ("name", "tenant_name", "count", "matching", "state", "changed")
    list_filter = (("tenant", RelatedDropdownFilter), ("active", BooleanRadioFilter), ("waits", BooleanRadioFilter))
    list_select_related = ("tenant",)
    search_fields = ("name", "tenant__slug", "tenant__name")
    search_help_text = "Name or tenant"
    autocomplete_fields = ("tenant",)
    ordering = ("tenant__name", "name")
    fieldsets = (
        (None, {"fields": ("tenant", "name", "prefixes", "active", "count", "progress")}),
        (
            "Words",
            {
                "fields": ("file", "add_words", "remove_words"),
                "description": "They are kept encrypted, and shown to nobody.",
            },
        ),
    )
    add_fieldsets = (
        (None, {"fields": ("tenant", "name", "prefixes", "active")}),
        ("Words", {"fields": ("file",), "description": "They are kept encrypted, and shown to nobody."}),
    )

    class Media:
        css = {"all": ("portcullis/guards.css",)}
        js = ("portcullis/progress.js",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "count", "progress") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    @method_decorator(sensitive_post_parameters("add_words", "remove_words"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        return super().changeform_view(*args, **kwargs)

    # --- writes --------------------------------------------------------------------------------------------------

    def create_row(self, request: HttpRequest, row: GuardDictionary, form: Any) -> None:
        super().create_row(request, row, form)
        self._upload(request, row, form)

    def change_row(self, request: HttpRequest, row: GuardDictionary, form: Any) -> None:
        super().change_row(request, row, form)
        add, remove = form.cleaned_data.get("add_words", []), form.cleaned_data.get("remove_words", [])
        self._upload(request, row, form)
        if add or remove:
            guard_dictionaries.change_words(dictionary=row, add=add, remove=remove, by=actor_of(request))

    def _upload(self, request: HttpRequest, row: GuardDictionary, form: Any) -> None:
        file = form.cleaned_data.get("file")
        if not file:
            return
        is_csv = str(file.name).lower().endswith(".csv")
        found = guard_dictionaries.upload(dictionary=row, data=file.read(), is_csv=is_csv, by=actor_of(request))
        if found.waits:
            messages.info(request, "The file is being compiled. Until that is done, the words of before hold.")

    # --- how far it is -------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress_view)
        return [path("<int:number>/progress/", view, name="gateway_guarddictionary_progress"), *super().get_urls()]

    @method_decorator(never_cache)
    def progress_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """How far the compilation of an upload is, for the row's own page."""
        row = GuardDictionary.objects.filter(pk=number).first()
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return TemplateResponse(request, "gateway/dictionary_progress.html", _progress_of(row))

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, row: GuardDictionary) -> str:
        return row.tenant.name

    @column("Entries", ordering="entries")
    def count(self, row: GuardDictionary) -> str:
        return f"{row.entries:,}"

    @column("Matches", ordering="prefixes")
    def matching(self, row: GuardDictionary) -> str:
        return "Beginnings of words, too" if row.prefixes else "Whole words"

    @column("State", label=STATES)
    def state(self, row: GuardDictionary) -> str:
        if row.waits:
            return "Compiling"
        if row.problem:
            return "Upload refused"
        if not row.active:
            return "Off"
        return "Active" if row.entries else "No words"

    @column("Changed (UTC)", ordering="updated_at")
    def changed(self, row: GuardDictionary) -> str:
        return f"{row.updated_at:%Y-%m-%d %H:%M}"

    @column("Last upload")
    def progress(self, row: GuardDictionary) -> SafeString:
        url = reverse("admin:gateway_guarddictionary_progress", args=(row.pk,))
        shown = render_to_string("gateway/dictionary_progress.html", _progress_of(row))
        return format_html('<div data-progress="{}">{}</div>', url, mark_safe(shown))  # noqa: S308 - an escaping template


def _progress_of(row: GuardDictionary) -> dict[str, Any]:
    run = JobRun.objects.filter(kind=guard_dictionaries.KIND, key=str(row.pk)).first()
    is_running = row.waits and run is not None and run.state == JobRun.State.RUNNING
    return {
        "row": row,
        "run": run if is_running else None,
        "percent": min(100, 100 * run.done // run.total) if run is not None and run.total else 0,
        "silent": run is not None and is_silent(run),
    }
