"""Budgets, with what has been used of each in its current period, and other limits for a while."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter

from billing import money, selectors, separate, words
from billing.actions import budgets
from billing.admin.budget_forms import BudgetForm, OverrideForm
from billing.admin.dollars import DollarFields
from billing.models import Budget, BudgetOverride
from compliance.admin.base import GovernedAdmin, GovernedInline, Verbs, perform
from compliance.admin.filters import RelationFilter
from compliance.admin.names import Names
from compliance.admin.refusals import REFUSALS
from compliance.admin.theme import button, column

OVERRIDE_VERBS = Verbs(
    noun="override", create=budgets.override, change=budgets.change_override, remove=budgets.remove_override
)
FULLEST = 10


class OverrideInline(DollarFields, GovernedInline):
    verbs = OVERRIDE_VERBS
    model = BudgetOverride
    fields = ("limit_nano", "since", "ends_at", "reason")
    readonly_fields = ("since",)
    verbose_name_plural = "overrides (times in UTC)"
    max_num = 0  # added by the button, which says what it does

    @column("Starts at")
    def since(self, override: BudgetOverride) -> str:
        return f"{override.starts_at:%Y-%m-%d %H:%M}"


@admin.register(Budget)
class BudgetAdmin(DollarFields, GovernedAdmin):
    verbs = Verbs(noun="budget", create=budgets.add, change=budgets.change, remove=budgets.remove)
    form = BudgetForm
    inlines = (OverrideInline,)
    actions_detail = ("override",)
    empty_hint = "Without a budget a tenant may spend whatever its tier's rates allow."
    list_display = ("named", "scope", "period_name", "enforcement", "limit", "used")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("application", RelationFilter),
        ("api_key", RelationFilter),
        ("environment", ChoicesDropdownFilter),
        ("each", ChoicesDropdownFilter),
        ("period", ChoicesDropdownFilter),
        ("mode", ChoicesDropdownFilter),
        ("active", BooleanRadioFilter),
    )
    list_select_related = ("tenant", "application__tenant", "api_key")
    search_fields = (
        *("name", "tenant__slug", "tenant__name", "application__slug", "api_key__name"),
        *("model", "end_user__exact", "tag", "tag_value"),
    )
    search_help_text = "Name, tenant, application, key, model, tag or an end user's surrogate"
    autocomplete_fields = ("tenant", "application", "api_key")
    readonly_fields = ("used",)
    conditional_fields: ClassVar[dict[str, str]] = {
        "starts_on": "period == 'dates'",
        "ends_on": "period == 'dates'",
        "downgrade_to": "mode == 'downgrade'",
    }
    when_used_up: ClassVar[Any] = ("When it is used up", {"fields": ("mode", "downgrade_to")})
    covers: ClassVar[Any] = (
        "Which requests it covers",
        {
            "fields": (
                *(("application", "api_key"), ("environment", "model"), "end_user", ("tag", "tag_value"), "each"),
            ),
            "description": "All of the tenant's, narrowed by each field that is filled. A request that several budgets "
            "cover must fit into all of them.",
        },
    )
    add_fieldsets = (
        (None, {"fields": ("tenant", "name")}),
        (
            "Limit",
            {
                "fields": ("limit_nano", "period", ("starts_on", "ends_on"), "active"),
                "description": "Counts from now on; what this period has cost before is not included.",
            },
        ),
        when_used_up,
        covers,
    )
    fieldsets = (
        (None, {"fields": ("tenant", "name", "used")}),
        (
            "Limit",
            {
                "fields": ("limit_nano", "period", ("starts_on", "ends_on"), "active"),
                "description": "A changed limit holds at once. A changed period starts to count anew, and so does one "
                "limit that becomes many. What was spent before a budget was added is not included in what is used.",
            },
        ),
        when_used_up,
        covers,
    )

    def create_row(self, request: HttpRequest, row: Budget, form: BudgetForm) -> None:
        perform(budgets.add, "budget", row, request, external_id=form.external_id)

    def change_row(self, request: HttpRequest, row: Budget, form: BudgetForm) -> None:
        perform(budgets.change, "budget", row, request, external_id=form.external_id)

    def prepare(self, rows: Sequence[Budget]) -> None:
        uses = selectors.uses_of(rows)
        for budget in rows:
            budget.use = uses[budget.pk]  # type: ignore[attr-defined]

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> tuple[str, ...]:
        return ("used", "counted", "tenant") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        shown = super().get_fieldsets(request, obj)
        if obj is None or not obj.each:
            return shown
        return (shown[0], ("Counted apart", {"fields": ("counted",)}), *shown[1:])

    def response_add(self, request: HttpRequest, obj: Budget, post_url_continue: str | None = None) -> HttpResponse:
        _warn_of_a_limit_of_nothing(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Budget) -> HttpResponse:
        _warn_of_a_limit_of_nothing(request, obj)
        return super().response_change(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Budget | None) -> Any:
        return self.inlines if obj is not None and obj.overrides.exists() else ()

    # --- another limit for a while -------------------------------------------------------------------------------

    def offers(self, row: Budget) -> Collection[str]:
        return ("override",)

    def has_override_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("billing.add_budgetoverride"))

    @button("Override for a while", icon="timer", permissions=["override"])
    def override(self, request: HttpRequest, object_id: str) -> HttpResponse:
        budget: Any = self.get_object(request, object_id)
        if budget is None:
            raise Http404
        form = OverrideForm(request.POST or None, budget=budget)
        if request.method == "POST" and form.is_valid() and self._overridden(request, form):
            return self.to_page_of(object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Override {budget.name} for a while",
            "opts": self.opts,
            "original": budget,
            "use": self._use(budget),
            "covers": f"{words.covers(budget)}. {words.period(budget)}.",
            "form": form,
            "back": self.page_of(object_id),
        }
        return TemplateResponse(request, "billing/override.html", context)

    def _overridden(self, request: HttpRequest, form: OverrideForm) -> bool:
        """Whether the action took it; what it refuses is shown in the form."""
        row = form.instance
        try:
            perform(OVERRIDE_VERBS.create, OVERRIDE_VERBS.noun, row, request)
        except REFUSALS as error:
            form.show(error)
            return False
        messages.success(
            request,
            f"{row.budget.name} has a limit of {money.show(row.limit_nano)} from {row.starts_at:%Y-%m-%d %H:%M} until "
            f"{row.ends_at:%Y-%m-%d %H:%M} UTC.",
        )
        return True

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Budget", header=True, ordering="name")
    def named(self, budget: Budget) -> tuple[str, str]:
        return budget.name, budget.tenant.name

    @column("Covers")
    def scope(self, budget: Budget) -> str:
        return words.covers(budget)

    @column("Period", ordering="period")
    def period_name(self, budget: Budget) -> str:
        return words.period(budget)

    @column(
        "Mode", label={"Hard": "primary", "Soft": "info", "Downgrade": "info", "Inactive": "warning"}, ordering="mode"
    )
    def enforcement(self, budget: Budget) -> str:
        return budget.mode.capitalize() if budget.active else "Inactive"

    @column("Limit", ordering="limit_nano")
    def limit(self, budget: Budget) -> str:
        return money.show(self._use(budget).limit_nano)

    @column("Used in this period")
    def used(self, budget: Budget) -> SafeString:
        context = {"use": self._use(budget)}
        return mark_safe(render_to_string("billing/budget_bar.html", context))  # noqa: S308 - an escaping template

    @column("The fullest")
    def counted(self, budget: Budget) -> SafeString:
        rows = separate.fullest(budget, limit_nano=self._use(budget).limit_nano, most=FULLEST)
        names = Names((row.kind, row.name) for row in rows or () if row.kind)
        context = {
            "rows": [(names.of(row.kind, row.name).link if row.kind else row.name, row) for row in rows or ()],
            "is_known": rows is not None,
            "most": FULLEST,
        }
        return mark_safe(render_to_string("billing/counted.html", context))  # noqa: S308 - an escaping template

    def _use(self, budget: Budget) -> selectors.Use:
        if not hasattr(budget, "use"):
            self.prepare([budget])
        use: selectors.Use = budget.use  # type: ignore[attr-defined]
        return use


def _warn_of_a_limit_of_nothing(request: HttpRequest, budget: Budget) -> None:
    if budget.active and budget.mode == Budget.Mode.HARD and budget.limit_nano == 0:
        messages.warning(request, f"{budget.name} has a hard limit of $0.00. It refuses every request that it covers.")
