"""Retention policies, with a look at what the next run removes while they are edited."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from compliance.actions import retention
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.purge_lines import shown
from compliance.admin.theme import column
from compliance.models import RetentionPolicy
from compliance.purgers import Line, Scope
from compliance.purging import plans
from compliance.registry import Class
from compliance.retention import check, rules
from compliance.retention_rules import in_words

COUNTING = ("__all__", "tenant", "data_class", "days", "floor_days")
"""The fields that change what is counted; a reason may still be missing."""
ELSEWHERE = "Runs do not remove this class of data: see the page on what the next run removes."


class RetentionForm(GovernedForm):
    """Says under the field what the law requires."""

    class Meta:
        model = RetentionPolicy
        fields = ("tenant", "data_class", "days", "reason", "floor_days", "floor_basis")

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                check(self.instance)
            except ValidationError as error:
                refusals.show(error, self)


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(GovernedAdmin):
    verbs = Verbs(noun="policy", create=retention.add, change=retention.change, remove=retention.remove)
    form = RetentionForm
    change_form_after_template = "compliance/retention_preview.html"
    empty_hint = "Every class of data has a policy for all tenants; add one for a tenant that needs another."
    list_display = ("kind", "tenant_name", "kept", "required", "in_force", "reason")
    list_filter = (("tenant", RelatedDropdownFilter), ("data_class", ChoicesDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("tenant__slug", "tenant__name", "reason", "floor_basis")
    search_help_text = "Tenant, reason or law"
    autocomplete_fields = ("tenant",)
    add_fieldsets = (
        (None, {"fields": ("tenant", "data_class", "days", "reason")}),
        (
            "What the law requires",
            {
                "fields": ("floor_days", "floor_basis"),
                "description": "It is kept at least so long, whatever else is set. What everybody's policy requires "
                "binds this one, too.",
            },
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: RetentionPolicy | None = None) -> Any:
        return self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: RetentionPolicy | None = None) -> tuple[str, ...]:
        return ("tenant", "data_class") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.tenant_id is not None)

    # --- a look at the next run ----------------------------------------------------------------------------------

    @property
    def preview_url(self) -> str:
        return reverse("admin:compliance_retentionpolicy_preview")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.preview))
        return [path("preview/", view, name="compliance_retentionpolicy_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest) -> HttpResponse:
        """What the next run would remove if the form, as it stands, were saved. Saves nothing."""
        if not (self.has_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        policy = self._edited(request)
        if isinstance(policy, str):
            return render(request, "compliance/retention_counts.html", {"problem": policy})
        plan = plans.make(Scope(as_of=plans.next_run().date(), tenant_id=policy.tenant_id, edited=policy))
        stores = {each.name for each in plans.executed() if each.keeps == policy.data_class}
        lines = [line for line in plan.lines if line.store in stores]
        words = _words(policy, lines) if stores else ELSEWHERE
        context = {"words": words, "lines": shown(line.as_json() for line in lines)}
        return render(request, "compliance/retention_counts.html", context)

    def _edited(self, request: HttpRequest) -> RetentionPolicy | str:
        """The policy as the form has it, or what is wrong with it."""
        stored = RetentionPolicy.objects.filter(pk=_number(request.POST.get("policy", ""))).first()
        form = self.get_form(request, stored, change=stored is not None)(request.POST, instance=stored)
        policy: RetentionPolicy = form.instance
        form.is_valid()
        problems = [text for name in COUNTING for text in form.errors.get(name, ())]
        return " ".join(problems) if problems else policy

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Class of data", ordering="data_class")
    def kind(self, policy: RetentionPolicy) -> str:
        return policy.get_data_class_display()

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, policy: RetentionPolicy) -> str:
        return policy.tenant.name if policy.tenant else "All without their own"

    @column("Kept", ordering="days")
    def kept(self, policy: RetentionPolicy) -> str:
        return in_words(policy.days)

    @column("Required by law", ordering="floor_days")
    def required(self, policy: RetentionPolicy) -> str:
        return f"{in_words(policy.floor_days)}: {policy.floor_basis}" if policy.floor_days else "–"

    @column("In force")
    def in_force(self, policy: RetentionPolicy) -> str:
        """After everybody's floor, which may be higher."""
        found = rules(Class(policy.data_class))
        return in_words(found.of(policy.tenant_id).days if policy.tenant_id else max(policy.days, policy.floor_days))


def _words(policy: RetentionPolicy, lines: Sequence[Line]) -> str:
    rows, held = sum(line.rows for line in lines), sum(line.held_rows for line in lines)
    due = f"{rows:,} {'row' if rows == 1 else 'rows'} would go with the run of {plans.next_run():%Y-%m-%d %H:%M} UTC"
    stays = f"; {held:,} more {'is' if held == 1 else 'are'} due and kept by legal holds" if held else ""
    return f"{due}, kept {in_words(policy.days)}{stays}."


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
