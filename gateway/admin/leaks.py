"""Keys that leaked: which were seen, what was done; and whose reports of such are believed."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.links import link
from compliance.admin.theme import column
from compliance.requests import actor_of
from gateway.actions import leaks, scanning_keys
from gateway.models import Leak, ScanningKey

COLOURS = {
    "Key revoked": "danger",
    "Secret replaced": "warning",
    "Old secret ended": "warning",
    "Did not work any more": "default",
    "Key suspended for now": "danger",
    "Waits for a moment": "info",
}


class ReportForm(GovernedForm):
    """Takes a key's text, which is kept nowhere."""

    text = forms.CharField(
        max_length=1000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        label="Leaked key",
        help_text="The whole key, from pcl_ to its end. It is ended at once, and stored nowhere.",
    )
    where = forms.CharField(
        required=False,
        max_length=50,
        widget=UnfoldAdminTextInputWidget,
        label="Where it was found",
        help_text="In a few words, for the record. No personal data.",
    )

    class Meta:
        model = Leak
        fields: tuple[str, ...] = ()


@admin.register(Leak)
class LeakAdmin(GovernedAdmin):
    verbs = Verbs(noun="leak", create=leaks.report_text)
    form = ReportForm
    empty_hint = "No key was seen where it does not belong. Found one? Report it here, and it is ended at once."
    list_display = ("first_seen", "key_link", "tenant_name", "source", "place", "sightings", "done")
    list_display_links = ("first_seen",)
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
    )
    list_select_related = ("key__application", "tenant")
    search_fields = ("public_id__exact", "key__name", "url")
    search_help_text = "A key's id or name, or a part of the address"
    add_fieldsets = ((None, {"fields": ("text", "where")}),)
    fieldsets = (
        (None, {"fields": ("key_link", "tenant_name", "public_id", "done")}),
        ("Where it was seen", {"fields": ("source", "place", "url", "request_id", "sightings")}),
        ("Times (UTC)", {"fields": ("first_seen", "last_seen", "handled")}),
    )
    readonly_fields = (
        *("key_link", "tenant_name", "public_id", "done", "source", "place", "url", "request_id", "sightings"),
        *("first_seen", "last_seen", "handled"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Leak]:
        rows: QuerySet[Leak] = super().get_queryset(request).select_related("key", "tenant")
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        return super().add_view(request, form_url, {"title": "Report a leaked key", **(extra_context or {})})

    def create_row(self, request: HttpRequest, row: Leak, form: ReportForm) -> None:
        values = form.cleaned_data
        leak = leaks.report_text(
            text=values["text"], source=Leak.Source.ADMIN, place=values["where"], by=actor_of(request)
        )
        row.pk, row.key, row.tenant = leak.pk, leak.key, leak.tenant

    @column("Key")
    def key_link(self, leak: Leak) -> SafeString:
        page = reverse("admin:accounts_apikey_change", args=(leak.key_id,))
        return link(page, f"{leak.key.name} (…{leak.key.last_four})")

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, leak: Leak) -> str:
        return leak.tenant.name

    @column("What was done", label=COLOURS, ordering="outcome")
    def done(self, leak: Leak) -> str:
        return leak.get_outcome_display() if leak.outcome else "Waits for a moment"

    @column("First seen (UTC)", ordering="first_seen_at")
    def first_seen(self, leak: Leak) -> str:
        return f"{leak.first_seen_at:%Y-%m-%d %H:%M}"

    @column("Last seen")
    def last_seen(self, leak: Leak) -> str:
        return f"{leak.last_seen_at:%Y-%m-%d %H:%M}"

    @column("Handled")
    def handled(self, leak: Leak) -> str:
        return f"{leak.handled_at:%Y-%m-%d %H:%M:%S}" if leak.handled_at else "–"


@admin.register(ScanningKey)
class ScanningKeyAdmin(GovernedAdmin):
    verbs = Verbs(
        noun="scanning_key", create=scanning_keys.add, change=scanning_keys.change, remove=scanning_keys.remove
    )
    empty_hint = (
        "Paste the public keys that GitHub lists at api.github.com/meta/public_keys/secret_scanning; until then no "
        "report is believed."
    )
    list_display = ("identifier", "state", "added")
    search_fields = ("identifier",)
    fieldsets = ((None, {"fields": ("identifier", "public_key", "active")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("identifier", "public_key") if obj else ()

    @column("Reports", label={"Believed": "success", "Not believed": "default"}, ordering="active")
    def state(self, row: ScanningKey) -> str:
        return "Believed" if row.active else "Not believed"

    @column("Added (UTC)", ordering="created_at")
    def added(self, row: ScanningKey) -> str:
        return f"{row.created_at:%Y-%m-%d %H:%M}"
