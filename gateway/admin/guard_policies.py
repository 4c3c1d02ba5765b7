"""Guard policies: for whom each holds, what it says of each guard, and a box in which to try it out."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter

from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.theme import column
from gateway.actions import guard_policies
from gateway.admin.guard_rules import RuleForm, RuleInline
from gateway.admin.guard_trying import TryForm, tried
from gateway.guard_gaps import gaps
from gateway.models import GuardPolicy, GuardRule

ACTIONS = GuardRule.Action


class PolicyForm(GovernedForm):
    class Meta:
        model = GuardPolicy
        fields = (
            *("name", "tenant", "application", "environment", "active", "budget_ms"),
            *("restore_placeholders", "placeholder_ttl_hours"),
        )


@admin.register(GuardPolicy)
class GuardPolicyAdmin(GovernedAdmin):
    verbs = Verbs(noun="policy", create=guard_policies.add, change=guard_policies.change, remove=guard_policies.remove)
    form = PolicyForm
    inlines = (RuleInline,)
    change_form_outer_before_template = "gateway/guard_top.html"
    change_form_outer_after_template = "gateway/guard_try.html"
    empty_hint = (
        "Without one the built-in policy holds for everybody: secrets are redacted, personal data is counted, signs of "
        "injection are flagged for review, and what is abusive is refused."
    )
    list_display = ("name", "for_whom", "state", "blocking", "redacting", "flagging", "logging")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("active", BooleanRadioFilter),
    )
    list_select_related = ("tenant", "application")
    search_fields = ("name", "tenant__slug", "tenant__name", "application__slug")
    search_help_text = "Name, tenant or application"
    autocomplete_fields = ("tenant", "application")
    ordering = ("tenant__name", "application__name", "environment")
    fieldsets = (
        (
            None,
            {
                "fields": ("name", "tenant", "application", "environment", "active"),
                "description": "Of the policies that fit a key the narrowest holds, alone: an application's before its "
                "tenant's before the platform's; of each, an environment's before that for all. A change holds "
                "in every gateway within a second.",
            },
        ),
        (
            "Time and placeholders",
            {"fields": ("budget_ms", "restore_placeholders", "placeholder_ttl_hours"), "classes": ("collapse",)},
        ),
    )

    class Media:
        css = {"all": ("portcullis/guards.css",)}
        js = ("portcullis/guards.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[GuardPolicy]:
        rows: QuerySet[GuardPolicy] = super().get_queryset(request)
        return rows.annotate(**{f"with_{name}": _count(action) for name, action in COUNTED.items()})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "application", "environment") if obj else ()

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Holds for", ordering="tenant__name")
    def for_whom(self, policy: GuardPolicy) -> str:
        return policy.reach

    @column("State", label={"Active": "success", "Off": "warning"}, ordering="active")
    def state(self, policy: GuardPolicy) -> str:
        return "Active" if policy.active else "Off"

    @column("Block")
    def blocking(self, policy: GuardPolicy) -> int | None:
        return getattr(policy, "with_block", None) or None

    @column("Redact")
    def redacting(self, policy: GuardPolicy) -> int | None:
        return getattr(policy, "with_redact", None) or None

    @column("Flag")
    def flagging(self, policy: GuardPolicy) -> int | None:
        return getattr(policy, "with_flag", None) or None

    @column("Log")
    def logging(self, policy: GuardPolicy) -> int | None:
        return getattr(policy, "with_log", None) or None

    def response_add(self, request: HttpRequest, obj: GuardPolicy, *args: Any, **kwargs: Any) -> HttpResponse:
        _warn(request, obj)
        return super().response_add(request, obj, *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: GuardPolicy) -> HttpResponse:
        _warn(request, obj)
        return super().response_change(request, obj)

    # --- trying it out -------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_out)
        return [path("try/", view, name="gateway_guardpolicy_try"), *super().get_urls()]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        shown: list[RuleForm] = [rule for each in context["inline_admin_formsets"] for rule in each.formset.in_order]
        stored = context["original"].rules.all() if context.get("original") else ()
        context |= {
            "try_form": TryForm(),
            "try_url": reverse("admin:gateway_guardpolicy_try"),
            "faulty": [rule for rule in shown if rule.is_bound and rule.errors],
            "gaps": {gap.guard.name: gap for gap in gaps(stored)},
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    @method_decorator(never_cache)
    @method_decorator(sensitive_post_parameters("try_text"))
    @method_decorator(sensitive_variables())
    def try_out(self, request: HttpRequest) -> HttpResponse:
        """What the policy, as it stands in the form, would do with a text. Nothing of either is kept."""
        row = self._of(request)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        asked = TryForm(request.POST)
        policy, rules, problem = self._as_in_form(request, row)
        shown = tried(asked, policy, rules) if asked.is_valid() and not problem else None
        context = {"shown": shown, "problem": problem or (not shown and _first_error(asked))}
        return TemplateResponse(request, "gateway/guard_trial.html", context)

    def _of(self, request: HttpRequest) -> GuardPolicy | None:
        """The policy whose page is open; none where a new one is being written."""
        number = request.POST.get("try_policy", "")
        if not number:
            return None
        row = self.get_object(request, number)
        if not isinstance(row, GuardPolicy):
            raise Http404
        return row

    def _as_in_form(
        self, request: HttpRequest, row: GuardPolicy | None
    ) -> tuple[GuardPolicy, Sequence[GuardRule], str]:
        """The policy and its rules as they were filled in, unsaved; and what cannot be tried yet."""
        if not self.has_change_permission(request, row) and row is not None:
            return row, list(row.rules.all()), ""
        form = self.get_form(request, row, change=row is not None)(request.POST, instance=row)
        form.is_valid()  # a policy without a name can be tried all the same
        policy: GuardPolicy = form.instance
        [formset], _ = self._create_formsets(request, policy, change=row is not None)  # type: ignore[attr-defined]
        rules = []
        for each in formset.forms:
            if not each.is_valid():
                title = each.about.title if each.about else "A guard"
                return policy, [], f"{title}: {_first_error(each)}"
            each.instance.policy = policy
            rules.append(each.instance)
        return policy, rules, ""


COUNTED = {"block": ACTIONS.BLOCK, "redact": ACTIONS.REDACT, "flag": ACTIONS.FLAG, "log": ACTIONS.LOG}


def _count(action: int) -> Count:
    return Count("rules", filter=Q(rules__action=action))


def _first_error(form: Any) -> str:
    return next((str(text) for texts in form.errors.values() for text in texts), "")


def _warn(request: HttpRequest, policy: GuardPolicy) -> None:
    """Of guards that were saved and cannot look."""
    for gap in gaps(policy.rules.all()):
        messages.warning(request, str(gap))
