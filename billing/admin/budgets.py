"""Budgets, with what has been used of each in its current period."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter

from billing import money, selectors
from billing.actions import budgets
from billing.admin.dollars import DollarFields
from billing.models import Budget
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.filters import RelationFilter
from compliance.admin.theme import column


@admin.register(Budget)
class BudgetAdmin(DollarFields, GovernedAdmin):
    verbs = Verbs(noun="budget", create=budgets.add, change=budgets.change, remove=budgets.remove)
    empty_hint = "Without a budget a tenant may spend whatever its tier's rates allow."
    list_display = ("name", "tenant_name", "scope", "period_name", "enforcement", "limit", "used")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("application", RelationFilter),
        ("api_key", RelationFilter),
        ("period", ChoicesDropdownFilter),
        ("mode", ChoicesDropdownFilter),
        ("active", BooleanRadioFilter),
    )
    list_select_related = ("tenant", "application__tenant", "api_key")
    search_fields = ("name", "tenant__slug", "tenant__name", "application__slug", "api_key__name")
    search_help_text = "Name, tenant, application or key"
    autocomplete_fields = ("tenant", "application", "api_key")
    readonly_fields = ("used",)
    add_fieldsets = (
        (None, {"fields": ("tenant", "name")}),
        (
            "Limit",
            {
                "fields": ("limit_nano", "period", "mode", "active"),
                "description": "Counts from now on; what this period has cost before is not included.",
            },
        ),
        (
            "Only for one application or one key",
            {"fields": ("application", "api_key"), "description": "Leave both empty for the whole tenant."},
        ),
    )
    fieldsets = (
        (None, {"fields": ("tenant", "name", "used")}),
        (
            "Limit",
            {
                "fields": ("limit_nano", "period", "mode", "active"),
                "description": "A changed limit holds at once. A changed period starts to count anew. What was spent "
                "before a budget was added is not included in what is used.",
            },
        ),
        (
            "Only for one application or one key",
            {"fields": ("application", "api_key"), "description": "Leave both empty for the whole tenant."},
        ),
    )

    def prepare(self, rows: Sequence[Budget]) -> None:
        uses = selectors.uses_of(rows)
        for budget in rows:
            budget.use = uses[budget.pk]  # type: ignore[attr-defined]

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> tuple[str, ...]:
        return ("used", "tenant") if obj else ()

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, budget: Budget) -> str:
        return budget.tenant.name

    @column("Covers")
    def scope(self, budget: Budget) -> str:
        if budget.api_key is not None:
            return f"Key {budget.api_key.name}"
        return f"Application {budget.application.name}" if budget.application is not None else "Whole tenant"

    @column("Period", ordering="period")
    def period_name(self, budget: Budget) -> str:
        return Budget.Period(budget.period).label.partition(" (")[0].partition(",")[0]

    @column("Mode", label={"Hard": "primary", "Soft": "info", "Inactive": "warning"}, ordering="mode")
    def enforcement(self, budget: Budget) -> str:
        return budget.mode.capitalize() if budget.active else "Inactive"

    @column("Limit", ordering="limit_nano")
    def limit(self, budget: Budget) -> str:
        return money.show(budget.limit_nano)

    @column("Used in this period")
    def used(self, budget: Budget) -> SafeString:
        if not hasattr(budget, "use"):
            self.prepare([budget])
        context = {"use": budget.use}  # type: ignore[attr-defined]
        return mark_safe(render_to_string("billing/budget_bar.html", context))  # noqa: S308 - an escaping template
