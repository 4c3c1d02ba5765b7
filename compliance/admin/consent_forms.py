"""The form that imports consents."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelect2Widget, UnfoldBooleanSwitchWidget

from compliance import selectors
from compliance.consent_import import MOST_BYTES


class ImportForm(forms.Form):
    """A file, read at once and never kept."""

    tenant: Any = forms.ModelChoiceField(queryset=None, widget=UnfoldAdminSelect2Widget)
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"CSV in UTF-8 of at most {MOST_BYTES // 1024:,} kB. Larger ones: manage.py import_consents.",
    )
    partly = forms.BooleanField(
        required=False,
        label="Record the good lines",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Otherwise nothing is recorded unless every line can be.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = selectors.tenants()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is not None:
            if file.size > MOST_BYTES:
                raise ValidationError({"file": f"It has more than {MOST_BYTES // 1024:,} kB; use import_consents."})
            try:
                cleaned["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise ValidationError({"file": "It is not UTF-8; save it as CSV in UTF-8."}) from error
        return cleaned
