"""Expressions that tenants do not let pass."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.theme import column
from gateway.actions import guard_patterns
from gateway.models import GuardPattern

STATES = {"Active": "success", "Off": "warning"}


class PatternForm(GovernedForm):
    """The expression as it is written: spaces at its ends belong to it."""

    expression = forms.CharField(
        max_length=500,
        strip=False,
        widget=UnfoldAdminTextInputWidget(attrs={"spellcheck": "false", "autocomplete": "off", "class": "pcl-typed"}),
        help_text="As in Python's re, without look-around and references back to groups. A match has at most 64 "
        r"characters, so repeats need an upper bound: \bEMP-\d{5}\b, [A-Z]{2}\d{6,8}.",
    )

    class Meta:
        model = GuardPattern
        fields = ("tenant", "name", "expression", "active")


@admin.register(GuardPattern)
class GuardPatternAdmin(GovernedAdmin):
    verbs = Verbs(noun="pattern", create=guard_patterns.add, change=guard_patterns.change, remove=guard_patterns.remove)
    form = PatternForm
    empty_hint = "A pattern is looked for by policies of its tenant whose guard Patterns is on."
    list_display = ("name", "tenant_name", "written", "state")
    list_filter = (("tenant", RelatedDropdownFilter), ("active", BooleanRadioFilter))
    list_select_related = ("tenant",)
    search_fields = ("name", "expression", "tenant__slug", "tenant__name")
    search_help_text = "Name, expression or tenant"
    autocomplete_fields = ("tenant",)
    ordering = ("tenant__name", "name")
    fieldsets = ((None, {"fields": ("tenant", "name", "expression", "active")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant",) if obj else ()

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, pattern: GuardPattern) -> str:
        return pattern.tenant.name

    @column("Expression")
    def written(self, pattern: GuardPattern) -> SafeString:
        return format_html('<code class="pcl-typed">{}</code>', pattern.expression)

    @column("State", label=STATES, ordering="active")
    def state(self, pattern: GuardPattern) -> str:
        return "Active" if pattern.active else "Off"
