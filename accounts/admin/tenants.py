"""Tenants: open, suspend, resume, close; and the way to everything that belongs to one."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.actions import tenants
from accounts.models import ApiKey, Tenant
from compliance.actions import offboarding
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.forms import GovernedForm, ReasonForm
from compliance.admin.links import add_url, link, list_url, row_of_links
from compliance.admin.theme import button, column
from compliance.contracts import Actor
from compliance.models import Approval
from compliance.requests import actor_of

STATUS_COLOURS = {"Active": "success", "Suspended": "warning", "Closed": "danger", "Revoked": "danger"}


class OpenTenantForm(GovernedForm):
    """Opens a tenant, with a tier or without."""

    tier = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget, help_text="Without a tier every request is refused."
    )

    tiers: ClassVar[Callable[[], Sequence[tuple[int, str]]]] = staticmethod(tuple)
    """The tiers there are, by primary key; billing, which knows them, sets it."""
    subscribe: ClassVar[Callable[[Tenant, int, Actor], Any]]
    """Gives a tenant a tier; billing sets it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tier"].choices = [("", "None yet"), *type(self).tiers()]  # type: ignore[attr-defined]

    def give_tier(self, *, by: Actor) -> None:
        """Gives the tenant the tier that was chosen, if one was."""
        if tier := self.cleaned_data["tier"]:
            type(self).subscribe(self.instance, int(tier), by)


class OffBoardForm(ReasonForm):
    """Asks to type the name of what would be gone."""

    slug = forms.CharField(
        label="Short name of the tenant",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Type it, as it cannot be undone.",
    )

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug.strip() != self.row.slug:
            raise ValidationError(f"This is not its short name, which is {self.row.slug}.")
        return slug


def _ask_to_off_board(*, tenant: Tenant, by: Actor, reason: str = "") -> Approval:
    return offboarding.ask(tenant_id=tenant.pk, reason=reason, by=by)


@admin.register(Tenant)
class TenantAdmin(GovernedAdmin):
    verbs = Verbs(noun="tenant", create=tenants.open, change=tenants.change)
    steps = {
        "suspend": Step(
            action=tenants.suspend,
            title="Suspend {}?",
            text="Every request of this tenant is refused at once, until somebody resumes it. Nothing is lost.",
            verb="Suspend",
            done="{} is suspended; its requests are refused.",
        ),
        "resume": Step(
            action=tenants.resume,
            title="Resume {}?",
            text="Requests of this tenant are served again at once.",
            verb="Resume",
            done="{} is served again.",
        ),
        "close": Step(
            action=tenants.close,
            title="Close {} for good?",
            text="All of its keys are revoked and it can never be opened again. Its usage and audit records stay.",
            verb="Close for good",
            done="{} is closed and its keys are revoked.",
            grave=True,
        ),
        "off_board": Step(
            action=_ask_to_off_board,
            title="Ask to off-board {}?",
            text="Once another person approves, everything of the tenant is written to a signed file that can be "
            "downloaded; then all of its keys are destroyed, and what they encrypted can be read by nobody ever again.",
            verb="Ask for approval",
            done="Off-boarding {} waits for another person's approval.",
            grave=True,
            form=OffBoardForm,
        ),
    }
    actions_detail = ("suspend", "resume", "close", "off_board")
    empty_hint = "Open one for each organisation whose applications use the gateway."
    list_display = ("named", "state", "tier", "active_applications", "active_keys", "time_zone", "created")
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("slug", "name")
    search_help_text = "Name or short name"
    ordering = ("slug",)
    readonly_fields = ("state", "created", "closed", "belongings")
    fieldsets = (
        (None, {"fields": ("name", "slug", "time_zone")}),
        ("Keys", {"fields": ("key_rotation_days", "key_overlap_days")}),
        ("State", {"fields": ("state", "created", "closed")}),
        ("What belongs to it", {"fields": ("belongings",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        rows: QuerySet[Tenant] = super().get_queryset(request).select_related("subscription__tier")
        return rows.annotate(
            applications_count=Count("applications", filter=Q(applications__status="active"), distinct=True),
            keys_count=Count("api_keys", filter=Q(api_keys__status=ApiKey.Status.ACTIVE), distinct=True),
        )

    def get_fieldsets(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        if obj:
            return super().get_fieldsets(request, obj)
        tier = ("tier",) if _may_subscribe(request) else ()
        return ((None, {"fields": ("name", "slug", "time_zone", *tier)}),)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        opening = {"form": OpenTenantForm} if obj is None and _may_subscribe(request) else {}
        return super().get_form(request, obj, change=change, **opening, **kwargs)

    def create_row(self, request: HttpRequest, row: Tenant, form: Any) -> None:
        super().create_row(request, row, form)
        if isinstance(form, OpenTenantForm):
            form.give_tier(by=actor_of(request))
        warn_without_tier(request, row)

    def change_row(self, request: HttpRequest, row: Tenant, form: Any) -> None:
        super().change_row(request, row, form)
        warn_without_tier(request, row)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Tenant | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def offers(self, row: Tenant) -> Collection[str]:
        return {
            Tenant.Status.ACTIVE: ("suspend", "close"),
            Tenant.Status.SUSPENDED: ("resume", "close"),
            Tenant.Status.CLOSED: ("off_board",),
        }.get(Tenant.Status(row.status), ())

    @button("Suspend", icon="pause_circle", permissions=["change"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("suspend", request, object_id)

    @button("Resume", icon="play_circle", permissions=["change"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("resume", request, object_id)

    @button("Close for good", icon="cancel", permissions=["change"])
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("close", request, object_id)

    @button("Off-board", icon="logout", permissions=["change"])
    def off_board(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("off_board", request, object_id)

    @column("Tenant", header=True, ordering="name")
    def named(self, tenant: Tenant) -> tuple[str, str]:
        return tenant.name, tenant.slug

    @column("Status", label=STATUS_COLOURS, ordering="status")
    def state(self, tenant: Tenant) -> str:
        return tenant.get_status_display()

    @column("Tier", ordering="subscription__tier__name")
    def tier(self, tenant: Tenant) -> str | SafeString:
        subscription = getattr(tenant, "subscription", None)
        if subscription is None:
            return link(add_url("billing_subscription", tenant=tenant.pk), "None: choose one")
        return link(list_url("billing_subscription", q=tenant.slug), subscription.tier)

    @column("Active applications", ordering="applications_count")
    def active_applications(self, tenant: Tenant) -> SafeString:
        count = getattr(tenant, "applications_count", 0)
        return link(list_url("accounts_application", tenant__id__exact=tenant.pk), count)

    @column("Active keys", ordering="keys_count")
    def active_keys(self, tenant: Tenant) -> SafeString:
        return link(list_url("accounts_apikey", tenant__id__exact=tenant.pk), getattr(tenant, "keys_count", 0))

    @column("Opened (UTC)", ordering="created_at")
    def created(self, tenant: Tenant) -> str:
        return f"{tenant.created_at:%Y-%m-%d}"

    @column("Closed (UTC)")
    def closed(self, tenant: Tenant) -> str:
        return f"{tenant.closed_at:%Y-%m-%d %H:%M}" if tenant.closed_at else "–"

    @column("Pages")
    def belongings(self, tenant: Tenant) -> SafeString:
        own = {"tenant__id__exact": tenant.pk}
        return row_of_links(
            (
                (list_url("accounts_application", **own), "Applications"),
                (list_url("accounts_apikey", **own), "API keys"),
                (list_url("accounts_membership", **own), "Members"),
                (list_url("billing_subscription", q=tenant.slug), "Tier"),
                (list_url("billing_budget", **own), "Budgets"),
                (list_url("billing_attributiontag", **own), "Attribution tags"),
                (list_url("billing_usagerecord", tenant_id=tenant.pk), "Usage"),
                (f"{reverse('statements')}?{urlencode({'tenant': tenant.slug})}", "Statements"),
                (list_url("compliance_subject", **own), "Subjects"),
                (list_url("compliance_consentrecord", **own), "Consents"),
                (list_url("compliance_transcript", tenant_id=tenant.pk), "Conversations"),
                (list_url("compliance_contentpolicy", **own), "Content policy"),
                (list_url("compliance_subjectrequest", **own, open="all"), "Subject requests"),
                (list_url("compliance_legalhold", **own), "Legal holds"),
                (list_url("compliance_erasure", **own), "Erasures"),
                (list_url("compliance_auditevent", tenant_id=tenant.pk), "Audit log"),
            )
        )


def warn_without_tier(request: HttpRequest, tenant: Tenant) -> None:
    """Says so where a tenant has no tier yet, which its requests would otherwise be the first to tell."""
    if getattr(tenant, "subscription", None) is None:
        choose = link(add_url("billing_subscription", tenant=tenant.pk), "Choose one")
        text = "{} has no tier; its requests are refused until it has one. {}"
        messages.warning(request, format_html(text, tenant.name, choose))


def _may_subscribe(request: HttpRequest) -> bool:
    return request.user.has_perm("billing.add_subscription")
