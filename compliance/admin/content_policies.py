"""What each tenant wants to happen with content."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget

from compliance import selectors
from compliance.actions import content_policies
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.theme import column
from compliance.models import ContentPolicy, Purpose, Regime
from compliance.regimes import BUILT_IN


class ContentPolicyForm(GovernedForm):
    """Purposes and regimes to choose from."""

    processing_purpose = forms.ChoiceField(
        required=False,
        label="Consent to process",
        widget=UnfoldAdminSelectWidget,
        help_text="Requests of people who did not consent to this purpose are refused with 403 consent_required, and "
        "so are requests that name nobody.",
    )
    regime = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget, help_text="Whose deadlines hold for requests of people about their data."
    )

    class Meta:
        model = ContentPolicy
        fields = ("tenant", "store", "redaction", "on_withdrawal", "processing_purpose", "controller", "regime")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Purpose.objects.order_by("slug").values_list("slug", flat=True).distinct()
        for field, choices in {
            "processing_purpose": [("", "Not needed"), *((name, name) for name in names)],
            "regime": regime_choices(),
        }.items():
            if field in self.fields:
                self.fields[field].choices = choices  # type: ignore[attr-defined]


@admin.register(ContentPolicy)
class ContentPolicyAdmin(GovernedAdmin):
    verbs = Verbs(
        noun="policy", create=content_policies.put, change=content_policies.put, remove=content_policies.remove
    )
    form = ContentPolicyForm
    empty_hint = "Without one nothing of a tenant's conversations is stored. Add one for each tenant that stores."
    list_display = ("tenant_name", "storing", "redacted", "withdrawal", "processing", "regime")
    list_filter = (("tenant", RelatedDropdownFilter), ("store", BooleanRadioFilter))
    list_select_related = ("tenant",)
    search_fields = ("tenant__slug", "tenant__name", "processing_purpose")
    search_help_text = "Tenant or purpose"
    autocomplete_fields = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant",)}),
        (
            "Storing",
            {
                "fields": ("store", "redaction", "on_withdrawal"),
                "description": "Prompts and answers are kept, encrypted under a key of each person's own, of people "
                "whose consent to store_conversations holds at that moment. How long: see the retention policy.",
            },
        ),
        (
            "Processing",
            {
                "fields": ("processing_purpose",),
                "description": "Leave empty unless requests need consent before they are answered at all.",
            },
        ),
        ("Who is responsible", {"fields": ("controller", "regime")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ContentPolicy | None = None) -> tuple[str, ...]:
        return ("tenant",) if obj else ()

    def create_row(self, request: HttpRequest, row: ContentPolicy, form: Any) -> None:
        super().create_row(request, row, form)
        _warn(request, row)

    def change_row(self, request: HttpRequest, row: ContentPolicy, form: Any) -> None:
        super().change_row(request, row, form)
        _warn(request, row)

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, policy: ContentPolicy) -> str:
        return policy.tenant.name

    @column("Conversations", label={"Stored": "success", "Not stored": "info"}, ordering="store")
    def storing(self, policy: ContentPolicy) -> str:
        return "Stored" if policy.store else "Not stored"

    @column("Redaction", ordering="redaction")
    def redacted(self, policy: ContentPolicy) -> str:
        return policy.get_redaction_display()

    @column("On withdrawal", ordering="on_withdrawal")
    def withdrawal(self, policy: ContentPolicy) -> str:
        return policy.get_on_withdrawal_display()

    @column("Consent to process", ordering="processing_purpose")
    def processing(self, policy: ContentPolicy) -> str:
        return policy.processing_purpose or "Not needed"

    def title_of(self, policy: ContentPolicy) -> str:
        return f"content policy of {policy.tenant.name}"


def regime_choices() -> list[tuple[str, str]]:
    """Those that everybody has, and those that tenants added."""
    own = Regime.objects.order_by("slug").values_list("slug", flat=True).distinct()
    return [*((slug, regime.name) for slug, regime in BUILT_IN.items()), *((slug, slug) for slug in own)]


def _warn(request: HttpRequest, policy: ContentPolicy) -> None:
    """Says why nothing would be stored though the policy says that it is."""
    if not policy.store:
        return
    if not selectors.published(policy.tenant_id, Purpose.STORE_CONVERSATIONS).exists():
        messages.warning(
            request, "No notice about store_conversations is published, so nobody can consent and nothing is stored."
        )
