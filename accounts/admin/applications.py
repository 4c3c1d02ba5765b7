"""Applications of tenants."""

from collections.abc import Collection, Sequence

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from accounts.actions import applications
from accounts.admin.tenants import STATUS_COLOURS
from accounts.models import Application
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.links import add_url, link, list_url, row_of_links
from compliance.admin.theme import button, column


@admin.register(Application)
class ApplicationAdmin(GovernedAdmin):
    verbs = Verbs(noun="application", create=applications.add, change=applications.change, remove=applications.remove)
    steps = {
        "suspend": Step(
            action=applications.suspend,
            title="Suspend {}?",
            text="Every request with a key of this application is refused at once, until somebody resumes it.",
            verb="Suspend",
            done="{} is suspended; its requests are refused.",
        ),
        "resume": Step(
            action=applications.resume,
            title="Resume {}?",
            text="Requests with keys of this application are served again at once.",
            verb="Resume",
            done="{} is served again.",
        ),
    }
    actions_detail = ("suspend", "resume")
    empty_hint = "Add one for each program of a tenant; keys are issued to applications."
    list_display = ("named", "tenant_name", "state", "active_keys", "created")
    list_filter = (("tenant", RelatedDropdownFilter), ("status", ChoicesDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("slug", "name", "tenant__slug", "tenant__name")
    search_help_text = "Name of the application or of its tenant"
    autocomplete_fields = ("tenant",)
    readonly_fields = ("state", "created", "belongings")
    add_fieldsets = ((None, {"fields": ("tenant", "name", "slug")}),)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "slug")}),
        ("State", {"fields": ("state", "created")}),
        ("What belongs to it", {"fields": ("belongings",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        active = Count("api_keys", filter=Q(api_keys__status="active"))
        rows: QuerySet[Application] = super().get_queryset(request).annotate(keys_count=active)
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Application | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "tenant") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Application | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def offers(self, row: Application) -> Collection[str]:
        return ("suspend",) if row.status == Application.Status.ACTIVE else ("resume",)

    @button("Suspend", icon="pause_circle", permissions=["change"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("suspend", request, object_id)

    @button("Resume", icon="play_circle", permissions=["change"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("resume", request, object_id)

    @column("Application", header=True, ordering="name")
    def named(self, application: Application) -> tuple[str, str]:
        return application.name, application.slug

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, application: Application) -> str:
        return application.tenant.name

    @column("Status", label=STATUS_COLOURS, ordering="status")
    def state(self, application: Application) -> str:
        return application.get_status_display()

    @column("Active keys", ordering="keys_count")
    def active_keys(self, application: Application) -> SafeString:
        url = list_url("accounts_apikey", application__id__exact=application.pk)
        return link(url, getattr(application, "keys_count", 0))

    @column("Added (UTC)", ordering="created_at")
    def created(self, application: Application) -> str:
        return f"{application.created_at:%Y-%m-%d}"

    @column("Pages")
    def belongings(self, application: Application) -> SafeString:
        own = {"application__id__exact": application.pk}
        return row_of_links(
            (
                (list_url("accounts_apikey", **own), "API keys"),
                (add_url("accounts_apikey", application=application.pk), "Issue a key"),
                (list_url("billing_budget", **own), "Budgets"),
                (list_url("billing_usagerecord", application_id=application.pk), "Usage"),
            )
        )
