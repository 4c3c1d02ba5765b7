"""Tenants' own deadlines for subject requests."""

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter

from compliance.actions import regimes
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.request_forms import RegimeForm
from compliance.admin.theme import column
from compliance.models import Regime
from compliance.selectors_requests import as_regime


@admin.register(Regime)
class RegimeAdmin(GovernedAdmin):
    verbs = Verbs(noun="regime", create=regimes.add, change=regimes.change, remove=regimes.remove)
    form = RegimeForm
    empty_hint = "GDPR, UK GDPR and CCPA are built in. Add a regime for other deadlines, or for a tenant's holidays."
    list_display = ("named", "tenant_name", "answer", "extension", "acknowledge")
    list_filter = (("tenant", RelatedDropdownFilter),)
    list_select_related = ("tenant",)
    search_fields = ("name", "slug", "tenant__slug", "tenant__name")
    autocomplete_fields = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "slug")}),
        (
            "Deadlines",
            {
                "fields": (
                    ("answer_count", "answer_unit"),
                    "extension_count",
                    ("acknowledge_count", "acknowledge_unit"),
                    "opt_out_count",
                ),
                "description": "Requests that arrived before a change keep the terms that held then.",
            },
        ),
        ("Days", {"fields": ("weekend", "holidays", "moves")}),
        ("When the clock stands still", {"fields": ("pauses_for_identity", "pauses_for_clarification")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Regime | None = None) -> tuple[str, ...]:
        return ("tenant", "slug") if obj else ()

    @column("Regime", header=True, ordering="name")
    def named(self, row: Regime) -> tuple[str, str]:
        return row.name, row.slug

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, row: Regime) -> str:
        return row.tenant.name

    @column("Answer within")
    def answer(self, row: Regime) -> str:
        return str(as_regime(row).answer)

    @column("Extension")
    def extension(self, row: Regime) -> str:
        return str(as_regime(row).extension or "–")

    @column("Acknowledge within")
    def acknowledge(self, row: Regime) -> str:
        return str(as_regime(row).acknowledge or "–")
