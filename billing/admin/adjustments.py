"""Adjustments: add one after a look at what it changes, and see those that were made."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminExpandableTextareaWidget, UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from billing import adjusting, end_users, money
from billing.actions import adjustments
from billing.admin.dollars import DollarFields, DollarsField
from billing.models import Adjustment
from billing.statements import about
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.filters import SinceFilter
from compliance.admin.forms import GovernedForm
from compliance.admin.links import add_url, link, list_url
from compliance.admin.names import Names
from compliance.admin.theme import column

CONFIRMED = "_confirmed"


class AdjustmentForm(GovernedForm):
    """Asks for an amount above zero and for its direction: a forgotten minus would be the opposite."""

    direction = forms.ChoiceField(
        choices=[("credit", "Credit: charge less"), ("charge", "Charge: charge more")],
        initial="credit",
        widget=UnfoldAdminRadioSelectWidget,
    )
    amount_nano = DollarsField(label="Amount")
    request_id = forms.CharField(
        label="Request",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Its id, as usage shows it. Empty for an adjustment that is about no single request.",
    )
    end_user = forms.CharField(
        required=False,
        max_length=512,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="As the application names the person, or a surrogate from usage (eu_…). Only the surrogate is kept.",
    )
    reason = forms.CharField(
        min_length=3,
        max_length=500,
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 2}),
        help_text="Stands on the statement and in the audit log. Name an invoice or a ticket, no personal data.",
    )

    class Meta:
        model = Adjustment
        fields = (
            *("tenant", "direction", "amount_nano", "reason", "request_id"),
            *("application", "api_key", "environment", "model", "end_user", "tag", "tag_value"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = None  # a new row has an id already, and nobody can have changed it

    def clean_request_id(self) -> UUID | None:
        text = self.cleaned_data["request_id"].strip().removeprefix("req_")
        try:
            return UUID(text) if text else None
        except ValueError as error:
            raise ValidationError("A request's id looks like 0198f7b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b.") from error

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        values = self.cleaned_data
        if values.get("direction") == "credit" and isinstance(values.get("amount_nano"), int):
            values["amount_nano"] = -values["amount_nano"]
        tenant, named = values.get("tenant"), (values.get("end_user") or "").strip()
        if tenant and named:
            try:
                values["end_user"] = end_users.surrogate_of(named, tenant=tenant)
                end_users.require(values["end_user"], tenant=tenant)
            except end_users.UnknownEndUser as error:
                self.add_error("end_user", str(error))
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                adjusting.complete(self.instance)
            except ValidationError as error:
                refusals.show(error, self)


class MadeFilter(SinceFilter):
    field = "created_at"


@admin.register(Adjustment)
class AdjustmentAdmin(DollarFields, GovernedAdmin):
    verbs = Verbs(noun="adjustment", create=adjustments.add)
    form = AdjustmentForm
    empty_hint = "A correction of what was charged: of one request, or of a tenant's budgets."
    list_display = ("when", "tenant_name", "what", "amount", "why", "state_label")
    list_filter = (MadeFilter, ("tenant", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("tenant", "application", "api_key")
    search_fields = ("reason", "tenant__slug", "tenant__name", "request_id")
    search_help_text = "Reason, tenant or request id"
    autocomplete_fields = ("tenant", "application", "api_key")
    ordering = ("-created_at",)
    add_fieldsets = (
        (None, {"fields": ("tenant", "direction", "amount_nano", "reason")}),
        (
            "One request",
            {
                "fields": ("request_id",),
                "description": "Changes the budgets that it was charged to, where their period is still the request's.",
            },
        ),
        (
            "Or: whatever it is for",
            {
                "fields": ("application", "api_key", "environment", "model", "end_user", ("tag", "tag_value")),
                "description": "Changes the budgets that are narrowed to nothing but what is named here. With "
                "everything empty these are the tenant's own.",
            },
        ),
    )
    fieldsets = (
        (None, {"fields": ("tenant_name", "amount", "why", "what")}),
        ("In the budgets", {"fields": ("state_label", "applied", "changed")}),
        ("Made", {"fields": ("when", "who")}),
    )
    readonly_fields = ("tenant_name", "amount", "why", "what", "state_label", "applied", "changed", "when", "who")

    def get_readonly_fields(self, request: HttpRequest, obj: Adjustment | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form, then what it would change, then the change."""
        if request.method == "POST" and CONFIRMED not in request.POST:
            if not self.has_add_permission(request):
                raise PermissionDenied
            form = self.get_form(request)(request.POST)
            if form.is_valid():
                return self._preview(request, form.instance)
        return super().add_view(request, form_url, extra_context)

    def _preview(self, request: HttpRequest, adjustment: Adjustment) -> HttpResponse:
        sent = {name: str(value) for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
        if sent.get("end_user"):
            sent["end_user"] = adjustment.end_user  # the way back is an address, which browsers and logs keep
        effects = adjusting.effects(adjustment)
        context = {
            **self.admin_site.each_context(request),
            "title": "Adjust?",
            "opts": self.opts,
            "adjustment": adjustment,
            "amount": money.in_full(adjustment.amount_nano),
            "what": about(adjustment),
            "effects": [
                (each.label, money.in_full(each.before_nano), money.in_full(each.after_nano)) for each in effects or ()
            ],
            "is_known": effects is not None,
            "sent": {**sent, CONFIRMED: "1"},
            "back": add_url("billing_adjustment", **{name: text for name, text in sent.items() if text}),
        }
        return TemplateResponse(request, "billing/adjustment_preview.html", context)

    @column("Made (UTC)", ordering="created_at")
    def when(self, adjustment: Adjustment) -> str:
        return f"{adjustment.created_at:%Y-%m-%d %H:%M}"

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, adjustment: Adjustment) -> str:
        return adjustment.tenant.name

    @column("About")
    def what(self, adjustment: Adjustment) -> SafeString | str:
        words = about(adjustment)
        if not adjustment.request_id:
            return words
        return link(list_url("billing_usagerecord", q=str(adjustment.request_id)), words)

    @column("Amount", ordering="amount_nano")
    def amount(self, adjustment: Adjustment) -> str:
        return money.in_full(adjustment.amount_nano)

    @column("Reason")
    def why(self, adjustment: Adjustment) -> str:
        return adjustment.reason

    @column("Status", label={"Applied": "success", "Not in the budgets yet": "warning"}, ordering="state")
    def state_label(self, adjustment: Adjustment) -> str:
        return adjustment.get_state_display()

    @column("Applied (UTC)")
    def applied(self, adjustment: Adjustment) -> str:
        return f"{adjustment.applied_at:%Y-%m-%d %H:%M:%S}" if adjustment.applied_at else "–"

    @column("Budgets changed")
    def changed(self, adjustment: Adjustment) -> str:
        names = adjusting.labels(adjustment.meters, tenant_id=adjustment.tenant_id)
        return ", ".join(names) or "None"

    @column("By")
    def who(self, adjustment: Adjustment) -> SafeString | str:
        reference = (adjustment.actor_kind, adjustment.actor_id)
        return Names([reference]).of(*reference).link if adjustment.actor_kind == "user" else " ".join(reference)
