"""API keys: issue one and see its secret once; suspend, resume, revoke."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from accounts import key_uses
from accounts.actions import keys
from accounts.admin.key_bulk import KeyBulk
from accounts.admin.key_filters import RotationFilter, UseFilter
from accounts.admin.key_forms import ChangeKeyForm, IssueKeyForm
from accounts.admin.key_life import STEPS, KeyLife
from accounts.admin.tenants import STATUS_COLOURS, warn_without_tier
from accounts.models import ApiKey
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.filters import RelationFilter
from compliance.admin.links import list_url, row_of_links
from compliance.admin.refusals import REFUSALS
from compliance.admin.theme import button, column
from compliance.limits import limited
from compliance.requests import actor_of

LastUsed = Callable[[Collection[int]], Mapping[int, datetime]]


@admin.register(ApiKey)
class ApiKeyAdmin(KeyLife, KeyBulk, GovernedAdmin):
    verbs = Verbs(noun="key", create=keys.issue, change=keys.change)
    steps = {
        "suspend": Step(
            action=keys.suspend,
            title="Suspend {}?",
            text="Requests with this key are refused at once, until somebody resumes it. Nothing else changes, so it "
            "is the right thing while something is being looked into. To end a key for good, revoke it.",
            verb="Suspend",
            done="{} is suspended; its requests are refused.",
        ),
        "resume": Step(
            action=keys.resume,
            title="Resume {}?",
            text="Requests with this key are served again at once.",
            verb="Resume",
            done="{} is accepted again.",
        ),
        "revoke": Step(
            action=keys.revoke,
            title="Revoke {} for good?",
            text="Requests with this key are refused at once and for ever, with each of its secrets. Whoever uses it "
            "needs a new key. To refuse it for a while only, suspend it; to replace its secret only, rotate it.",
            verb="Revoke for good",
            done="{} is revoked.",
            grave=True,
        ),
        **STEPS,
    }
    actions_detail = ("rotate", "renew_link", "end_overlap", "suspend", "resume", "revoke")
    empty_hint = "Issue one to an application; its secret is shown once."
    form = ChangeKeyForm
    list_display = ("named", "application_name", "environment", "state", "rotation", "expiry", "last_use")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("application", RelationFilter),
        ("environment", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        UseFilter,
        RotationFilter,
    )
    list_select_related = ("tenant", "application__tenant")
    search_fields = ("name", "public_id", "last_four__exact", "application__slug", "tenant__slug", "tenant__name")
    search_help_text = "Name, a part of the key's id, its last four characters, application or tenant"
    autocomplete_fields = ("application",)
    readonly_fields = (
        *("masked_key", "owner", "environment", "state", "last_use", "created", "revoked", "belongings"),
        *("rotation", "secrets", "claim_link", "usage"),
    )
    add_fieldsets = (
        (None, {"fields": ("application", "name", "environment", "nonce")}),
        ("What it may do", {"fields": ("scopes", "allowed_models", "allowed_networks", "expires_at")}),
    )
    fieldsets = (
        (None, {"fields": ("masked_key", "owner", "environment", "name")}),
        ("What it may do", {"fields": ("scopes", "allowed_models", "allowed_networks", "expires_at")}),
        ("State", {"fields": ("state", "last_use", "created", "revoked", "belongings")}),
        ("Secrets", {"fields": ("rotation", "secrets", "claim_link")}),
        ("Usage", {"fields": ("usage",)}),
    )

    last_used: LastUsed = staticmethod(lambda key_ids: {})
    """When keys were last used; billing, which keeps usage, sets it."""

    def prepare(self, rows: Sequence[ApiKey]) -> None:
        ids = [key.pk for key in rows]
        served, used = self.last_used(ids), key_uses.last_used(ids)
        for key in rows:  # usage takes seconds to arrive; uses of the control plane are not among it
            known = [at[key.pk] for at in (served, used) if key.pk in at]
            key.used_at = max(known, default=None)  # type: ignore[attr-defined]

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """The link to a new secret is for those who could make one."""
        fieldsets: Any = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [(title, {**options, "fields": _without_link(options["fields"])}) for title, options in fieldsets]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        revoked = isinstance(obj, ApiKey) and obj.status == ApiKey.Status.REVOKED
        return not revoked and super().has_change_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        return super().get_form(request, obj, change=change, **({} if obj else {"form": IssueKeyForm}), **kwargs)

    @staticmethod
    def title_of(key: ApiKey) -> str:
        return f"{key.name} (…{key.last_four})"

    @staticmethod
    def label_of(key: ApiKey) -> str:
        return f"{ApiKeyAdmin.title_of(key)}, {key.application}"

    # --- issuing -------------------------------------------------------------------------------------------------

    @limited(group="issue-key", rate="30/m", what="issued keys")
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().add_view(request, form_url, {"title": "Issue an API key", **(extra_context or {})})

    def create_row(self, request: HttpRequest, row: ApiKey, form: IssueKeyForm) -> None:
        form.spend()
        try:
            key, secret = keys.issue(**form.terms, by=actor_of(request))
        except REFUSALS:
            form.give_back()
            raise
        row.pk = key.pk
        # The secret lives as long as this request; nothing but the page below ever holds it.
        request.META["issued"] = (key, secret)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The page that shows the secret, once. A form's number is good for one key, so a reload issues no second."""
        key, secret = request.META.pop("issued")
        warn_without_tier(request, key.tenant)
        context = {
            **self.admin_site.each_context(request),
            "title": "API key issued",
            "opts": self.opts,
            "key": key,
            "secret": secret,
            "page": reverse("admin:accounts_apikey_change", args=(key.pk,)),
            "host": request.build_absolute_uri("/v1"),
        }
        response = TemplateResponse(request, "accounts/key_issued.html", context)
        add_never_cache_headers(response)
        return response

    # --- buttons and columns -------------------------------------------------------------------------------------

    def offers(self, row: ApiKey) -> Collection[str]:
        steps = {
            ApiKey.Status.ACTIVE: ("suspend", "revoke"),
            ApiKey.Status.SUSPENDED: ("resume", "revoke"),
        }.get(ApiKey.Status(row.status), ())
        return (*steps, *self.secret_offers(row)) if steps else ()

    @button("Suspend", icon="pause_circle", permissions=["change"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("suspend", request, object_id)

    @button("Resume", icon="play_circle", permissions=["change"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("resume", request, object_id)

    @button("Revoke", icon="cancel", permissions=["change"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("revoke", request, object_id)

    @column("Key", header=True, ordering="name")
    def named(self, key: ApiKey) -> tuple[str, str]:
        return key.name, key.masked

    @column("Key")
    def masked_key(self, key: ApiKey) -> str:
        return key.masked

    @column("Application", header=True, ordering="application__name")
    def application_name(self, key: ApiKey) -> tuple[str, str]:
        return key.application.name, key.tenant.name

    @column("Application")
    def owner(self, key: ApiKey) -> str:
        return f"{key.application.name} of {key.tenant.name}"

    @column("Status", label={**STATUS_COLOURS, "Expired": "danger"}, ordering="status")
    def state(self, key: ApiKey) -> str:
        expired = key.status == ApiKey.Status.ACTIVE and key.expires_at and key.expires_at <= timezone.now()
        return "Expired" if expired else key.get_status_display()

    @column("Expires (UTC)", ordering="expires_at")
    def expiry(self, key: ApiKey) -> str:
        return f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "Never"

    @column("Last use (UTC)")
    def last_use(self, key: ApiKey) -> str:
        if not hasattr(key, "used_at"):
            self.prepare([key])
        used_at: datetime | None = key.used_at  # type: ignore[attr-defined]
        return f"{used_at:%Y-%m-%d %H:%M}" if used_at else "Never"

    @column("Issued (UTC)", ordering="created_at")
    def created(self, key: ApiKey) -> str:
        return f"{key.created_at:%Y-%m-%d %H:%M}"

    @column("Revoked (UTC)")
    def revoked(self, key: ApiKey) -> str:
        return f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "–"

    @column("Pages")
    def belongings(self, key: ApiKey) -> SafeString:
        return row_of_links(
            (
                (list_url("billing_usagerecord", api_key_id=key.pk), "Usage"),
                (list_url("billing_budget", api_key__id__exact=key.pk), "Budgets"),
                (list_url("compliance_auditevent", target_kind="apikey", target_id=key.pk), "Audit log"),
            )
        )


def _without_link(fields: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in fields if name != "claim_link")
