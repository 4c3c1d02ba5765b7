"""The forms that set budgets, and override them for a while."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.models import Tenant
from accounts.pseudonyms import is_pseudonym
from accounts.tokens import ENVIRONMENTS
from billing import end_users
from billing.admin.dollars import DollarsField
from billing.models import Budget, BudgetOverride
from compliance.admin import refusals
from compliance.admin.forms import GovernedForm

MODELS = ("model", "downgrade_to")


class BudgetForm(GovernedForm):
    """Takes an end user by surrogate, or as the application names them: `external_id` is left to the action."""

    external_id = ""

    end_user = forms.CharField(
        required=False,
        max_length=512,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="As the application names the person in safety_identifier or user, or a surrogate from usage "
        "(eu_…). The budget keeps the surrogate only.",
    )
    model = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget, help_text="Requests that this model answers."
    )
    downgrade_to = forms.ChoiceField(
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="The cheaper model that answers once this budget is used up.",
    )

    model_names: ClassVar[Callable[[], Sequence[str]]] = staticmethod(tuple)
    """The models there are; the gateway, which serves them, sets it."""

    class Meta:
        model = Budget
        fields = (
            *("tenant", "name", "limit_nano", "period", "starts_on", "ends_on", "mode", "downgrade_to", "active"),
            *("application", "api_key", "environment", "model", "end_user", "tag", "tag_value", "each"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = type(self).model_names()
        for field, empty in (("model", "Every model"), ("downgrade_to", "Choose one")):
            # A model may have gone since; the budget that names it stays until somebody changes it.
            known = dict.fromkeys([*names, *filter(None, [getattr(self.instance, field)])])
            self._offer(field, [("", empty), *((name, name) for name in known)])
        self._offer("environment", [("", "Every environment"), *((name, name.capitalize()) for name in ENVIRONMENTS)])
        self._offer("each", [("", "for all of these requests together"), *Budget.Each.choices])
        if "each" in self.fields:
            self.fields["each"].help_text = "What is counted apart has a limit of its own from its first request on."
        self._narrow(self.instance.tenant_id or self.initial.get("tenant"))

    def _offer(self, field: str, choices: list[tuple[str, str]]) -> None:
        if field in self.fields:
            self.fields[field].choices = choices  # type: ignore[attr-defined]

    def _narrow(self, tenant: Any) -> None:
        """Offers applications and keys of the tenant only, where it is known already."""
        if not str(tenant).isdecimal():
            return
        for name in self.fields.keys() & {"application", "api_key"}:
            search: Any = getattr(self.fields[name].widget, "widget", None)
            if search is not None:
                search.get_url = partial("{}?tenant={}".format, search.get_url(), tenant)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        values = self.cleaned_data
        # What the page hides is not meant.
        if values.get("mode") != Budget.Mode.DOWNGRADE:
            values["downgrade_to"] = ""
        if values.get("period") != Budget.Period.DATES:
            values["starts_on"] = values["ends_on"] = None
        tenant = values.get("tenant") or (self.instance.tenant if self.instance.pk else None)
        if tenant and values.get("end_user"):
            values["end_user"] = self._surrogate(values["end_user"].strip(), tenant)
        return cleaned

    def _surrogate(self, named: str, tenant: Tenant) -> str:
        """Empty where the action is to find, or enrol, whom `named` means."""
        if not is_pseudonym(named):
            self.external_id = named
            return ""
        if named != self.initial.get("end_user"):
            try:
                end_users.require(named, tenant=tenant)
            except end_users.UnknownEndUser as error:
                self.add_error("end_user", str(error))
        return named


class WhenWidget(UnfoldAdminSplitDateTimeWidget):  # type: ignore[misc]
    """A date and a time, with the browser's own pickers."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        for widget, kind in zip(self.widgets, ("date", "time"), strict=True):
            widget.input_type = kind
            widget.format = {"date": "%Y-%m-%d", "time": "%H:%M"}[kind]


class OverrideForm(forms.ModelForm[BudgetOverride]):
    """Asks for another limit, until when, and why."""

    limit_nano = DollarsField(label="Limit", help_text="Instead of the budget's own.")
    starts_at = forms.SplitDateTimeField(
        label="From (UTC)", required=False, widget=WhenWidget, help_text="Leave empty to begin now."
    )
    ends_at = forms.SplitDateTimeField(
        label="Until (UTC)",
        widget=WhenWidget,
        help_text="From then on the budget's own limit holds again.",
    )
    reason = forms.CharField(
        min_length=3,
        max_length=500,
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with the override and in the audit log. Name a ticket or a cause, no personal data.",
    )

    class Meta:
        model = BudgetOverride
        fields = ("limit_nano", "starts_at", "ends_at", "reason")

    def __init__(self, data: Any, *, budget: Budget) -> None:
        super().__init__(data, instance=BudgetOverride(budget=budget))
        self.initial["starts_at"] = None

    def clean_starts_at(self) -> datetime:
        return self.cleaned_data["starts_at"] or timezone.now()

    def show(self, error: Exception) -> None:
        """Puts what the action refused next to the fields that it is about."""
        refusals.show(error, self)
