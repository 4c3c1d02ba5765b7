"""Forms about one person."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminTextInputWidget

from compliance import selectors
from compliance.actions.subjects import LONGEST
from compliance.admin.forms import ReasonForm


class FindForm(forms.Form):
    """Which person of which tenant. Sent in a body: the id must stand in no address, as addresses are logged."""

    tenant: Any = forms.ModelChoiceField(queryset=None, widget=UnfoldAdminSelect2Widget)
    external_id = forms.CharField(
        label="Person",
        max_length=LONGEST,
        strip=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="As the tenant's application names them in safety_identifier or user; or their surrogate (eu_…).",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = selectors.tenants()  # type: ignore[attr-defined]


class RenameForm(ReasonForm):
    """What the person is called from now on, and why."""

    external_id = forms.CharField(
        label="New id",
        max_length=LONGEST,
        strip=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="As the tenant's application will name them in safety_identifier or user, character for character.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, required=True, **kwargs)


class IdentifyForm(ReasonForm):
    """Why somebody needs to know who it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, required=True, **kwargs)
