"""The form behind every page that changes a row."""

import hashlib
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from compliance import audit
from compliance.admin import refusals


class GovernedForm(forms.ModelForm[Any]):
    """Notices that the row was changed since the page was opened, and shows what the action refused.

    Two saves within the same instant can still cross; the later one wins, and the audit log shows both.
    """

    refusal: ClassVar[Exception | None] = None
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["seen"].initial = fingerprint(self.instance)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        seen = self.cleaned_data.get("seen")
        if seen and not self.instance._state.adding and seen != fingerprint(self.instance):
            raise ValidationError(refusals.OVERTAKEN)
        if self.refusal is not None:
            refusals.show(self.refusal, self)
        return cleaned


class ReasonForm(forms.Form):
    """Asks why."""

    reason = forms.CharField(
        max_length=500,
        help_text="Kept in the audit log. Name a ticket or a cause, no personal data.",
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 2, "autofocus": True}),
    )

    def __init__(self, *args: Any, required: bool, row: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        self.fields["reason"].required = required


def fingerprint(row: models.Model) -> str:
    """The same for two reads of a row exactly when nothing that people may see has changed between them."""
    return hashlib.sha256(repr(sorted(audit.fields_of(row).items())).encode()).hexdigest()[:32]


def refused(form: type[forms.BaseForm], error: Exception) -> type[forms.BaseForm]:
    """The same form, which shows `error` when it is validated."""
    return type(form.__name__, (form,), {"refusal": error})
