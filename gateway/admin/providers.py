"""Providers and what they are called with."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget

from billing.admin.price_forms import PriceForm
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.links import link, list_url
from compliance.admin.theme import column
from compliance.requests import actor_of
from gateway.actions import providers
from gateway.models import Provider

PriceForm.provider_slugs = staticmethod(lambda: list(Provider.objects.values_list("slug", flat=True)))


class ProviderForm(GovernedForm):
    """Takes a new credential; the stored one is never sent to a browser."""

    credential = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        label="New credential",
        help_text="The provider's API key. It is stored encrypted, and replaces the one before. "
        "Leave empty to keep what is stored.",
    )


@admin.register(Provider)
class ProviderAdmin(GovernedAdmin):
    verbs = Verbs(noun="provider", create=providers.add, change=providers.change, remove=providers.remove)
    form = ProviderForm
    empty_hint = "Add an upstream that speaks OpenAI's protocol, with the key that it is called with."
    list_display = ("named", "base_url", "state", "stored_credential", "deployments_count")
    list_select_related = ("credential",)
    search_fields = ("slug", "name", "base_url")
    readonly_fields = ("stored_credential",)
    add_fieldsets = (
        (None, {"fields": ("name", "slug", "base_url", "active")}),
        ("Credential", {"fields": ("credential",)}),
        ("Protocol", {"fields": ("output_limit_field",)}),
        ("Timeouts, in milliseconds", {"fields": ("connect_timeout_ms", "read_timeout_ms", "total_timeout_ms")}),
    )
    fieldsets: ClassVar[Any] = (
        add_fieldsets[0],
        ("Credential", {"fields": ("stored_credential", "credential")}),
        *add_fieldsets[2:],
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        rows: QuerySet[Provider] = super().get_queryset(request).annotate(ways=Count("deployments"))
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def create_row(self, request: HttpRequest, row: Provider, form: ProviderForm) -> None:
        providers.add(provider=row, credential=form.cleaned_data["credential"], by=actor_of(request))

    def change_row(self, request: HttpRequest, row: Provider, form: ProviderForm) -> None:
        super().change_row(request, row, form)
        if credential := form.cleaned_data["credential"]:
            providers.set_credential(provider=row, credential=credential, by=actor_of(request))

    @column("Provider", header=True, ordering="name")
    def named(self, provider: Provider) -> tuple[str, str]:
        return provider.name, provider.slug

    @column("Status", label={"Active": "success", "Off": "warning"}, ordering="active")
    def state(self, provider: Provider) -> str:
        return "Active" if provider.active else "Off"

    @column("Stored credential")
    def stored_credential(self, provider: Provider) -> str:
        stored = getattr(provider, "credential", None)
        if stored is None:
            return "Nothing stored"
        ending = f"ends in {stored.last_four}" if stored.last_four else "stored"
        return f"{ending}, since {stored.changed_at:%Y-%m-%d}"

    @column("Deployments", ordering="ways")
    def deployments_count(self, provider: Provider) -> SafeString:
        return link(list_url("gateway_deployment", provider__id__exact=provider.pk), getattr(provider, "ways", 0))
