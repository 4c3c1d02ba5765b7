"""Alert rules, and the log of what they told."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter

from accounts import officers
from billing import alert_words, money, outlook
from billing.actions import alert_rules
from billing.admin.alert_forms import AlertRuleForm
from billing.admin.dollars import DollarFields
from billing.models import Alert, AlertDelivery, AlertKind, AlertRule, Budget
from billing.models.alerts import ANNOUNCED
from compliance.admin.base import GovernedAdmin, ReadOnlyAdmin, Verbs
from compliance.admin.filters import SinceFilter
from compliance.admin.links import link, list_url
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import column
from compliance.requests import actor_of

STATUS_COLOURS = {"On its way": "info", "Delivered": "success", "Given up": "danger", "Nobody": None}


@admin.register(AlertRule)
class AlertRuleAdmin(DollarFields, GovernedAdmin):
    verbs = Verbs(noun="rule", create=alert_rules.add, change=alert_rules.change, remove=alert_rules.remove)
    form = AlertRuleForm
    empty_hint = "Nobody is told of anything yet. manage.py seed_alert_rules adds the usual rules for all tenants."
    list_before_template = "billing/alerts_without_rule.html"
    list_display = ("name", "for_whom", "kind_name", "told_at", "state", "alerts")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("active", BooleanRadioFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("name", "tenant__slug", "tenant__name")
    search_help_text = "Name or tenant"
    autocomplete_fields = ("tenant",)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("tenant", "name", "kind")}),
        ("When", {"fields": ("levels", "amount_nano")}),
        (
            "Who is told",
            {
                "fields": ("recipients", "notify_owners", "endpoints"),
                "description": "Each crossing is told once. Without anybody to tell, alerts are only logged.",
            },
        ),
        ("State", {"fields": ("active", "muted_until")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: AlertRule | None = None) -> tuple[str, ...]:
        return ("tenant", "kind") if obj else ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"without_rule": [kind.label for kind in ANNOUNCED], "platform": len(officers.of_platform())}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def create_row(self, request: HttpRequest, row: AlertRule, form: AlertRuleForm) -> None:
        alert_rules.add(rule=row, endpoints=form.cleaned_data["endpoints"], by=actor_of(request))

    def change_row(self, request: HttpRequest, row: AlertRule, form: AlertRuleForm) -> None:
        alert_rules.change(rule=row, endpoints=form.cleaned_data["endpoints"], by=actor_of(request))

    def response_add(self, request: HttpRequest, obj: AlertRule, post_url_continue: str | None = None) -> HttpResponse:
        _warn_of_others_of_its_kind(request, obj)
        return super().response_add(request, obj, post_url_continue)

    @column("For", ordering="tenant__name")
    def for_whom(self, rule: AlertRule) -> str:
        return rule.tenant.name if rule.tenant else "Tenants without a rule of this kind"

    @column("Kind", ordering="kind")
    def kind_name(self, rule: AlertRule) -> str:
        return rule.get_kind_display()

    @column("From")
    def told_at(self, rule: AlertRule) -> str:
        if rule.levels:
            return ", ".join(map(str, rule.levels)) + " %"
        if rule.kind == AlertKind.UNUSUAL:
            return f"{money.show(rule.amount_nano or outlook.LEAST_EXCESS_NANO)} more than usual"
        return money.show(rule.amount_nano) if rule.amount_nano else "–"

    @column("Status", label={"Active": "success", "Muted": "info", "Off": "warning"})
    def state(self, rule: AlertRule) -> str:
        if not rule.active:
            return "Off"
        return "Muted" if rule.is_muted(at=timezone.now()) else "Active"

    @column("Alerts")
    def alerts(self, rule: AlertRule) -> SafeString:
        return link(list_url("billing_alert", rule__id__exact=rule.pk), "Log")


def _warn_of_others_of_its_kind(request: HttpRequest, rule: AlertRule) -> None:
    others = AlertRule.objects.filter(tenant=rule.tenant_id, kind=rule.kind).exclude(pk=rule.pk)
    if names := ", ".join(others.order_by("name").values_list("name", flat=True)):
        whose = f"for {rule.tenant.name}" if rule.tenant else "for all tenants"
        messages.warning(
            request,
            f"There is a rule of this kind {whose} already: {names}. Each of them tells by itself, so the same may be "
            "told twice.",
        )


class CreatedFilter(SinceFilter):
    field = "created_at"


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("when", "tenant_name", "kind_name", "what", "level_label", "now", "told")
    list_display_links = ("when",)
    list_filter = (
        CreatedFilter,
        ("tenant", RelatedDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("rule", RelatedDropdownFilter),
        ("deliveries__endpoint", RelatedDropdownFilter),
    )
    list_select_related = ("tenant", "rule")
    search_fields = ("label", "subject__startswith", "tenant__slug", "tenant__name")
    search_help_text = "What it is about, or tenant"
    paginator = LimitedPaginator
    empty_hint = "Alerts appear here within a minute after a level of a rule is crossed."
    fieldsets = (
        (None, {"fields": ("what", "budget", "kind_name", "tenant_name", "rule_name", "when", "now")}),
        ("Values when it was raised", {"fields": ("values",)}),
        ("Who was told", {"fields": ("deliveries",)}),
    )
    readonly_fields = (
        *("what", "budget", "kind_name", "tenant_name", "rule_name", "when", "now"),
        *("values", "deliveries"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        rows: QuerySet[Alert] = super().get_queryset(request).prefetch_related("deliveries")
        return rows

    @column("Time (UTC)", ordering="id")
    def when(self, alert: Alert) -> str:
        return f"{alert.created_at:%Y-%m-%d %H:%M:%S}"

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, alert: Alert) -> str:
        return alert.tenant.name if alert.tenant else "The platform"

    @column("Kind", ordering="kind")
    def kind_name(self, alert: Alert) -> str:
        return alert.get_kind_display()

    @column("What")
    def what(self, alert: Alert) -> str:
        return alert_words.headline(alert)

    @column("Budget")
    def budget(self, alert: Alert) -> SafeString | str:
        budget = Budget.objects.filter(pk=alert.facts.get("budget_id"), tenant=alert.tenant_id).first()
        return link(reverse("admin:billing_budget_change", args=[budget.pk]), budget.name) if budget else "–"

    @column("Level")
    def level_label(self, alert: Alert) -> str:
        return f"{alert.level} %" if alert.kind in (AlertKind.BUDGET, AlertKind.PROJECTED, AlertKind.RATE) else "–"

    @column("Rule")
    def rule_name(self, alert: Alert) -> str:
        return alert.rule.name if alert.rule else "–"

    @column("Now")
    def now(self, alert: Alert) -> str:
        if alert.kind in (AlertKind.TEST, AlertKind.ENDPOINT_DISABLED):
            return "–"
        if alert.kind in ANNOUNCED and alert.cleared_at:
            return f"Over since {alert.cleared_at:%Y-%m-%d %H:%M} UTC"
        return f"Below again since {alert.cleared_at:%Y-%m-%d %H:%M} UTC" if alert.cleared_at else "Open"

    @column("Told", label=STATUS_COLOURS)
    def told(self, alert: Alert) -> str:
        """The worst that happened to a delivery."""
        states = {AlertDelivery.Status(delivery.status) for delivery in alert.deliveries.all()}
        for state in (AlertDelivery.Status.FAILED, AlertDelivery.Status.PENDING, AlertDelivery.Status.DELIVERED):
            if state in states:
                return str(state.label)
        return "Nobody"

    @column("Values")
    def values(self, alert: Alert) -> SafeString:
        began = alert_words.period_start(alert)
        if alert.kind in ANNOUNCED:
            return _table("billing/alert_values.html", rows=alert_words.values(alert))
        rows = [
            ("Level", f"{alert.level} %"),
            ("Period began", f"{began:%Y-%m-%d %H:%M} UTC" if began else "–"),
        ]
        return _table("billing/alert_values.html", rows=[*rows, *alert_words.values(alert)])

    @column("Deliveries")
    def deliveries(self, alert: Alert) -> SafeString:
        return _table("billing/alert_deliveries.html", deliveries=alert.deliveries.all())


def _table(template: str, **context: Sequence[Any] | QuerySet[Any]) -> SafeString:
    return mark_safe(render_to_string(template, context))  # noqa: S308 - an escaping template
