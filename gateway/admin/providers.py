"""Providers and what they are called with."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from billing.admin.price_forms import PriceForm
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.forms import ReasonForm
from compliance.admin.links import link, list_url
from compliance.admin.theme import button, column
from compliance.errors import ComplianceError
from compliance.requests import actor_of
from gateway.actions import credentials, providers
from gateway.admin.provider_forms import NewProviderForm, ReplaceForm, SourceForm
from gateway.models import CredentialSource, Provider, ProviderCredential

PriceForm.provider_slugs = staticmethod(lambda: list(Provider.objects.values_list("slug", flat=True)))

REPLACE = Step(
    action=credentials.replace,
    title="Replace the credential of {}",
    text="It is tested first: the provider is asked for its models. If it accepts the new credential, requests use it "
    "at once, and those under way end with the one before, which can be used again until it is destroyed.",
    verb="Test and use",
    done="",
    form=ReplaceForm,
)
LOOK = Step(
    action=credentials.look,
    title="Look for a new credential of {} now?",
    text="If there is another one than before, it is tested, and requests use it at once if the provider accepts it.",
    verb="Look now",
    done="",
)


@admin.register(Provider)
class ProviderAdmin(GovernedAdmin):
    verbs = Verbs(noun="provider", create=providers.add, change=providers.change, remove=providers.remove)
    steps = {"replace_credential": REPLACE, "look_now": LOOK}
    actions_detail = ("replace_credential", "look_now")
    form = SourceForm
    empty_hint = "Add an upstream that speaks OpenAI's protocol, with the key that it is called with."
    list_display = ("named", "base_url", "state", "stored_credential", "deployments_count")
    search_fields = ("slug", "name", "base_url")
    readonly_fields = ("stored_credential", "looked", "versions")
    add_fieldsets = (
        (None, {"fields": ("name", "slug", "base_url", "active")}),
        ("Credential", {"fields": ("source_kind", "source_reference", "credential")}),
        ("Protocol", {"fields": ("output_limit_field",)}),
        ("Timeouts, in milliseconds", {"fields": ("connect_timeout_ms", "read_timeout_ms", "total_timeout_ms")}),
    )
    fieldsets: ClassVar[Any] = (
        add_fieldsets[0],
        ("Credential", {"fields": ("stored_credential", "versions", "source_kind", "source_reference", "looked")}),
        *add_fieldsets[2:],
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        rows: QuerySet[Provider] = super().get_queryset(request).annotate(ways=Count("deployments"))
        current = ProviderCredential.objects.filter(state=ProviderCredential.State.CURRENT)
        return rows.select_related("source").prefetch_related(
            Prefetch("credentials", queryset=current, to_attr="in_use")
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        own = {} if obj else {"form": NewProviderForm}
        return super().get_form(request, obj, change=change, **own, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def create_row(self, request: HttpRequest, row: Provider, form: NewProviderForm) -> None:
        providers.add(provider=row, credential=form.cleaned_data["credential"], by=actor_of(request))
        self._draw(request, row, form)

    def change_row(self, request: HttpRequest, row: Provider, form: SourceForm) -> None:
        had = _has_credential(row)
        super().change_row(request, row, form)
        if had and not _has_credential(row):
            messages.warning(request, f"{row.name} has moved, so its credential is retired. Type in a new one.")
        if {"source_kind", "source_reference"} & set(form.changed_data):
            self._draw(request, row, form)

    def _draw(self, request: HttpRequest, row: Provider, form: SourceForm) -> None:
        kind, reference = form.cleaned_data["source_kind"], form.cleaned_data["source_reference"]
        credentials.draw_from(provider=row, kind=kind, reference=reference, by=actor_of(request))

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: Provider) -> Collection[str]:
        return {"look_now"} if _source_of(row) else {"replace_credential"}

    @button("Replace the credential", url_path="replace-credential", permissions=["change"])
    def replace_credential(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the new one. No transaction is open while the provider is asked, as one is behind the row's form."""
        row = self._row(request, object_id)
        form = ReplaceForm(request.POST or None, row=row, required=False)
        if request.method != "POST" or not form.is_valid():
            return self._confirmation(request, row, REPLACE, form)
        values = form.cleaned_data
        tell(
            request,
            lambda: credentials.replace(
                provider=row, credential=values["credential"], reason=values["reason"], by=actor_of(request)
            ),
        )
        return self.to_page_of(object_id)

    @button("Look for a new credential now", url_path="look-now", permissions=["change"])
    def look_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row(request, object_id)
        form = ReasonForm(request.POST or None, row=row, required=False)
        if request.method != "POST" or not form.is_valid():
            return self._confirmation(request, row, LOOK, form)
        tell(request, lambda: credentials.look(provider=row, by=actor_of(request)))
        return self.to_page_of(object_id)

    def _row(self, request: HttpRequest, object_id: str) -> Provider:
        row: Provider | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_change_permission(request):
            raise PermissionDenied
        return row

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Provider", header=True, ordering="name")
    def named(self, provider: Provider) -> tuple[str, str]:
        return provider.name, provider.slug

    @column("Status", label={"Active": "success", "Off": "warning"}, ordering="active")
    def state(self, provider: Provider) -> str:
        return "Active" if provider.active else "Off"

    @column("Stored credential")
    def stored_credential(self, provider: Provider) -> str:
        stored: list[ProviderCredential] = getattr(provider, "in_use", [])
        if not stored:
            return "Nothing stored"
        ending = f"ends in {stored[0].last_four}" if stored[0].last_four else "stored"
        return f"{ending}, since {stored[0].created_at:%Y-%m-%d}"

    @column("Versions")
    def versions(self, provider: Provider) -> SafeString | str:
        count = provider.credentials.count() if provider.pk else 0
        return link(list_url("gateway_providercredential", provider__id__exact=provider.pk), count) if count else "None"

    @column("Last looked up (UTC)")
    def looked(self, provider: Provider) -> str:
        source = _source_of(provider)
        if source is None:
            return "Typed in here"
        if source.looked_at is None:
            return "Not yet"
        return f"{source.looked_at:%Y-%m-%d %H:%M}" + (f": {source.problem}" if source.problem else "")

    @column("Deployments", ordering="ways")
    def deployments_count(self, provider: Provider) -> SafeString:
        return link(list_url("gateway_deployment", provider__id__exact=provider.pk), getattr(provider, "ways", 0))


def _has_credential(provider: Provider) -> bool:
    in_use = provider.credentials.filter(state=ProviderCredential.State.CURRENT).exists()
    return in_use or CredentialSource.objects.filter(provider=provider).exists()


def _source_of(provider: Provider) -> Any:
    return getattr(provider, "source", None)


def tell(request: HttpRequest, act: Callable[[], ProviderCredential | None]) -> None:
    """Does something with a credential, and says what became of it."""
    try:
        row = act()
    except (*refusals.REFUSALS, ComplianceError) as error:
        messages.error(request, refusals.explain(error))
        return
    if row is None:
        messages.info(request, "Nothing new is there; what is in use stays in use.")
    elif row.state == ProviderCredential.State.CURRENT:
        messages.success(request, f"Version {row.version} is in use.")
    elif row.state == ProviderCredential.State.REFUSED:
        messages.error(
            request, f"The provider refuses version {row.version} ({row.answered}). The one before stays in use."
        )
    else:
        messages.warning(
            request,
            f"Version {row.version} could not be tested ({row.answered}). It is tested again by the clock; on its own "
            "page you can use it anyway. The one before stays in use.",
        )
