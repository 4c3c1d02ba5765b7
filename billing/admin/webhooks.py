"""Webhook endpoints: add one and see its secret once; test, rotate, pause, resume."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from billing.actions import webhooks
from billing.models import WebhookEndpoint
from compliance.admin.base import GovernedAdmin, Step, Verbs, perform
from compliance.admin.links import link, list_url
from compliance.admin.theme import button, column
from compliance.requests import actor_of


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(GovernedAdmin):
    verbs = Verbs(noun="endpoint", create=webhooks.add, change=webhooks.change, remove=webhooks.remove)
    steps = {
        "test": Step(
            action=webhooks.send_test,
            title="Send a test to {}?",
            text="A message of the type alert.test is posted within seconds. What came of it is in the alert log.",
            verb="Send a test",
            done="A test for {} is on its way; the alert log shows what comes of it.",
        ),
        "rotate": Step(
            action=webhooks.rotate,
            title="Replace the secret of {}?",
            text="Messages are signed with the new secret at once, and for a day with the old one, too.",
            verb="Replace the secret",
            done="{} has a new secret.",
        ),
        "pause": Step(
            action=webhooks.pause,
            title="Pause {}?",
            text="Nothing more is posted there, until somebody resumes it. What is on its way waits.",
            verb="Pause",
            done="{} is paused.",
        ),
        "resume": Step(
            action=webhooks.resume,
            title="Resume {}?",
            text="Alerts are posted there again.",
            verb="Resume",
            done="{} gets alerts again.",
        ),
    }
    actions_detail = ("test", "rotate", "pause", "resume")
    empty_hint = "Add a URL that takes alerts; its secret, which they are signed with, is shown once."
    list_display = ("named", "owner", "state_label", "failing", "log")
    list_filter = (("tenant", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("name", "url", "tenant__slug", "tenant__name")
    search_help_text = "Name, URL or tenant"
    autocomplete_fields = ("tenant",)
    readonly_fields = ("owner", "state_label", "failing", "disabled_because", "log")
    add_fieldsets = ((None, {"fields": ("tenant", "name", "url")}),)
    fieldsets = (
        (None, {"fields": ("owner", "name", "url")}),
        ("State", {"fields": ("state_label", "failing", "disabled_because", "log")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    @staticmethod
    def label_of(endpoint: WebhookEndpoint) -> str:
        return f"{endpoint.name}, {endpoint.tenant.name if endpoint.tenant else 'the platform'}"

    # --- secrets -------------------------------------------------------------------------------------------------

    def create_row(self, request: HttpRequest, row: WebhookEndpoint, form: Any) -> None:
        # The secret lives as long as this request; nothing but the page below ever holds it.
        request.META["issued"] = webhooks.add(endpoint=row, by=actor_of(request))

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show_secret(request)

    @button("Replace secret", icon="key", permissions=["change"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        response = self.take("rotate", request, object_id)
        return self._show_secret(request) if "issued" in request.META else response

    def _perform_step(self, step: Step, request: HttpRequest, row: Any, reason: str) -> None:
        if step.action is webhooks.rotate:
            request.META["issued"] = (row, perform(step.action, self.verbs.noun, row, request, reason=reason))
        else:
            super()._perform_step(step, request, row, reason)

    def _show_secret(self, request: HttpRequest) -> HttpResponse:
        """The page that shows the secret, once."""
        endpoint, secret = request.META.pop("issued")
        context = {
            **self.admin_site.each_context(request),
            "title": "Signing secret",
            "opts": self.opts,
            "endpoint": endpoint,
            "secret": secret,
            "page": self.page_of(str(endpoint.pk)),
        }
        response = TemplateResponse(request, "billing/alert_secret.html", context)
        add_never_cache_headers(response)
        return response

    # --- buttons and columns -------------------------------------------------------------------------------------

    def offers(self, row: WebhookEndpoint) -> Collection[str]:
        if row.state == WebhookEndpoint.State.ACTIVE:
            return ("test", "rotate", "pause")
        return ("rotate", "resume")

    @button("Send a test", icon="send", permissions=["change"])
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("test", request, object_id)

    @button("Pause", icon="pause_circle", permissions=["change"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("pause", request, object_id)

    @button("Resume", icon="play_circle", permissions=["change"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("resume", request, object_id)

    @column("Endpoint", header=True, ordering="name")
    def named(self, endpoint: WebhookEndpoint) -> tuple[str, str]:
        return endpoint.name, endpoint.url

    @column("Of", ordering="tenant__name")
    def owner(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.tenant.name if endpoint.tenant else "The platform"

    @column("Status", label={"Active": "success", "Paused": "warning", "Disabled after failures": "danger"})
    def state_label(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.get_state_display()

    @column("Failing since (UTC)", ordering="failing_since")
    def failing(self, endpoint: WebhookEndpoint) -> str:
        return f"{endpoint.failing_since:%Y-%m-%d %H:%M}" if endpoint.failing_since else "–"

    @column("Alerts")
    def log(self, endpoint: WebhookEndpoint) -> SafeString:
        return link(list_url("billing_alert", deliveries__endpoint__id__exact=endpoint.pk), "Log")
