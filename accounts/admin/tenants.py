"""Tenants: open, suspend, resume, close; and the way to everything that belongs to one."""

from collections.abc import Collection, Sequence

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from accounts.actions import tenants
from accounts.models import ApiKey, Tenant
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.links import add_url, link, list_url, row_of_links
from compliance.admin.theme import button, column

STATUS_COLOURS = {"Active": "success", "Suspended": "warning", "Closed": "danger", "Revoked": "danger"}


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
    }
    actions_detail = ("suspend", "resume", "close")
    empty_hint = "Open one for each organisation whose applications use the gateway."
    list_display = ("named", "state", "tier", "active_applications", "active_keys", "time_zone", "created")
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("slug", "name")
    search_help_text = "Name or short name"
    ordering = ("slug",)
    readonly_fields = ("state", "created", "closed", "belongings")
    add_fieldsets = ((None, {"fields": ("name", "slug", "time_zone")}),)
    fieldsets = (
        (None, {"fields": ("name", "slug", "time_zone")}),
        ("State", {"fields": ("state", "created", "closed")}),
        ("What belongs to it", {"fields": ("belongings",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        rows: QuerySet[Tenant] = super().get_queryset(request).select_related("subscription__tier")
        return rows.annotate(
            applications_count=Count("applications", filter=Q(applications__status="active"), distinct=True),
            keys_count=Count("api_keys", filter=Q(api_keys__status=ApiKey.Status.ACTIVE), distinct=True),
        )

    def get_prepopulated_fields(self, request: HttpRequest, obj: Tenant | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def offers(self, row: Tenant) -> Collection[str]:
        return {
            Tenant.Status.ACTIVE: ("suspend", "close"),
            Tenant.Status.SUSPENDED: ("resume", "close"),
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
                (list_url("billing_usagerecord", tenant_id=tenant.pk), "Usage"),
                (list_url("compliance_auditevent", tenant_id=tenant.pk), "Audit log"),
            )
        )
