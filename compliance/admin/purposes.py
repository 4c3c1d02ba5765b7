"""Purposes: what people are asked about."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter

from compliance.actions import purposes
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.theme import column
from compliance.models import Purpose


@admin.register(Purpose)
class PurposeAdmin(GovernedAdmin):
    verbs = Verbs(noun="purpose", create=purposes.add, change=purposes.change, remove=purposes.remove)
    empty_hint = "Add one for whatever else than storing, training and analytics people are asked about."
    list_display = ("named", "whose", "gpc")
    list_filter = (("tenant", RelatedDropdownFilter), ("honours_gpc", BooleanRadioFilter))
    list_select_related = ("tenant",)
    search_fields = ("slug", "name", "tenant__slug", "tenant__name")
    search_help_text = "Name, short name or tenant"
    autocomplete_fields = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "slug", "description")}),
        ("Browsers that opt out", {"fields": ("honours_gpc",)}),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if "tenant" in form.base_fields:
            form.base_fields["tenant"].required = True
            form.base_fields["tenant"].help_text = "The purposes that everybody has are built in."
        return form  # type: ignore[no-any-return]

    def get_readonly_fields(self, request: HttpRequest, obj: Purpose | None = None) -> tuple[str, ...]:
        return ("tenant", "slug") if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Purpose | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def has_change_permission(self, request: HttpRequest, obj: Purpose | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.tenant_id is not None)

    def has_delete_permission(self, request: HttpRequest, obj: Purpose | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.tenant_id is not None)

    @column("Purpose", header=True, ordering="name")
    def named(self, purpose: Purpose) -> tuple[str, str]:
        return purpose.name, purpose.slug

    @column("Tenant", ordering="tenant__name")
    def whose(self, purpose: Purpose) -> str:
        return purpose.tenant.name if purpose.tenant else "Everybody's"

    @column("Sec-GPC", label={"Opts out": "info"}, ordering="honours_gpc")
    def gpc(self, purpose: Purpose) -> str:
        return "Opts out" if purpose.honours_gpc else "Has no effect"
