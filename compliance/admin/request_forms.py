"""Forms of subject requests and of regimes."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from compliance import selectors
from compliance.actions.requests import LONGEST, Asked
from compliance.actions.subjects import LONGEST as LONGEST_ID
from compliance.admin.fields import LinesField
from compliance.admin.forms import GovernedForm
from compliance.models import Regime, Subject, SubjectRequest
from compliance.rights import Right

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class RequestForm(GovernedForm):
    """What came by letter, phone or mail. The person is found by the tenant's own id, which is not kept."""

    person = forms.CharField(
        max_length=LONGEST_ID,
        strip=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="As the tenant's application names them, or their surrogate (eu_…).",
    )
    words = forms.CharField(
        required=False,
        label="Their words",
        max_length=LONGEST,
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 3}),
        help_text="Kept under the person's own key. Of a rectification: what is wrong, and what is right.",
    )

    class Meta:
        model = SubjectRequest
        fields = ("tenant", "right", "purpose", "regime", "received_at")
        help_texts = {
            "regime": "gdpr, uk_gdpr, ccpa, or one of the tenant's own. Empty: the tenant's usual one.",
            "received_at": "In UTC. The clock runs from that day on, in the tenant's time zone.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "regime" in self.fields:
            self.fields["regime"].required = False
            self.fields["received_at"].initial = timezone.now().replace(second=0, microsecond=0)

    def _post_clean(self) -> None:
        """The row is made by the action; nothing of the form is a row yet."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        tenant, person = self.cleaned_data.get("tenant"), self.cleaned_data.get("person")
        if tenant and person:
            self.subject = _find(tenant.pk, person)
        return cleaned

    def asked(self) -> Asked:
        """What is asked for, as the action takes it."""
        sent = self.cleaned_data
        return Asked(
            right=Right(sent["right"]),
            details=sent["words"],
            purpose=sent["purpose"],
            regime=sent["regime"],
            received_at=sent["received_at"],
        )


class RegimeForm(GovernedForm):
    """A tenant's own deadlines."""

    weekend = forms.TypedMultipleChoiceField(
        choices=list(enumerate(DAYS)),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="No business days.",
    )
    holidays = LinesField(required=False, help_text="One a line, as 2026-12-25.")

    class Meta:
        model = Regime
        fields = (
            *("tenant", "slug", "name", "answer_count", "answer_unit", "extension_count"),
            *("acknowledge_count", "acknowledge_unit", "opt_out_count", "weekend", "holidays", "moves"),
            *("pauses_for_identity", "pauses_for_clarification"),
        )
        widgets = {"answer_unit": UnfoldAdminSelectWidget, "acknowledge_unit": UnfoldAdminSelectWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound and "holidays" in self.fields:
            self.initial["holidays"] = [day.isoformat() for day in self.instance.holidays or []]
            self.initial.setdefault("weekend", [5, 6])

    def clean_holidays(self) -> list[date]:
        try:
            return sorted(date.fromisoformat(line) for line in self.cleaned_data["holidays"])
        except ValueError as error:
            raise ValidationError("Write each day as 2026-12-25.") from error


def _find(tenant_id: int, person: str) -> Subject:
    known = Subject.objects.filter(tenant_id=tenant_id, surrogate=person.strip()).first()
    found = known or selectors.find(tenant_id=tenant_id, external_id=person)
    if found is None:
        raise ValidationError({"person": "The tenant has nobody who is known by this; nothing is stored about them."})
    return found
