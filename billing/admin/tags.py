"""Attribution tags: which keys of a request's metadata a tenant's costs are told apart by."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RelatedDropdownFilter

from billing import selectors
from billing.actions import tags
from billing.models import AttributionTag
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.links import link, list_url
from compliance.admin.theme import column


@admin.register(AttributionTag)
class AttributionTagAdmin(GovernedAdmin):
    verbs = Verbs(noun="tag", create=tags.declare, remove=tags.withdraw)
    empty_hint = "Declare the metadata keys that a tenant's costs are told apart by, such as feature."
    list_display = ("key", "tenant_name", "budgets", "declared")
    list_filter = (("tenant", RelatedDropdownFilter),)
    list_select_related = ("tenant",)
    search_fields = ("key", "tenant__slug", "tenant__name")
    search_help_text = "Key or tenant"
    autocomplete_fields = ("tenant",)
    ordering = ("tenant__name", "key")
    add_fieldsets = (
        (
            None,
            {
                "fields": ("tenant", "key"),
                "description": "From now on the value that a request gives it in metadata is recorded with its usage, "
                "and budgets and reports can name it. Values are kept as they are sent: name no person by one.",
            },
        ),
    )
    fieldsets = ((None, {"fields": ("tenant_name", "key", "budgets", "declared")}),)
    readonly_fields = ("tenant_name", "budgets", "declared")

    def prepare(self, rows: Sequence[AttributionTag]) -> None:
        counts = selectors.budgets_by_tag(rows)
        for tag in rows:
            tag.budgets_count = counts[tag.pk]  # type: ignore[attr-defined]

    def get_readonly_fields(self, request: HttpRequest, obj: AttributionTag | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, tag: AttributionTag) -> str:
        return tag.tenant.name

    @column("Budgets")
    def budgets(self, tag: AttributionTag) -> SafeString:
        if not hasattr(tag, "budgets_count"):
            self.prepare([tag])
        url = list_url("billing_budget", tenant__id__exact=tag.tenant_id, q=tag.key)
        return link(url, tag.budgets_count)  # type: ignore[attr-defined]

    @column("Declared (UTC)", ordering="created_at")
    def declared(self, tag: AttributionTag) -> str:
        return f"{tag.created_at:%Y-%m-%d}"
