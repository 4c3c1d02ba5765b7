"""The forms of providers and their credentials."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from compliance.admin.forms import GovernedForm, ReasonForm
from gateway import credential_sources
from gateway.credential_sources import SourceUnreadable
from gateway.models import CredentialSource
from gateway.models.credentials import Origin

MOVING = (
    ". Another host, port or scheme retires the credential and forgets where it comes from: it is only ever sent where "
    "it was stored for."
)


def secret_field(**options: Any) -> forms.CharField:
    """Takes a secret; what is stored is never sent to a browser."""
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(max_length=credential_sources.MOST_CHARS, widget=widget, **options)


class SourceForm(GovernedForm):
    """Says where a provider's credential comes from."""

    source_kind = forms.ChoiceField(
        choices=Origin.choices,
        initial=Origin.TYPED,
        widget=UnfoldAdminSelectWidget,
        label="Credential comes from",
        help_text="From anywhere else than here it is looked up again and again, tested, and used when it is accepted.",
    )
    source_reference = forms.CharField(
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        label="Where exactly",
        help_text="Empty if it is typed in. Else the name of a variable, file or secret; name#field or path#field.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "base_url" in self.fields:
            self.fields["base_url"].help_text += MOVING
        source = CredentialSource.objects.filter(provider=self.instance.pk).first() if self.instance.pk else None
        if source:
            self.fields["source_kind"].initial = source.kind
            self.fields["source_reference"].initial = source.reference

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        kind, reference = self.cleaned_data.get("source_kind"), self.cleaned_data.get("source_reference", "")
        if kind and kind != Origin.TYPED:
            try:
                credential_sources.check(kind, reference)
            except SourceUnreadable as error:
                self.add_error("source_reference", ValidationError(str(error)))
        return cleaned


class NewProviderForm(SourceForm):
    """Adds a provider with its first credential."""

    credential = secret_field(
        required=False,
        label="Credential",
        help_text="The provider's API key, if it is typed in here. It is stored encrypted.",
    )


class ReplaceForm(ReasonForm):
    """Takes the next credential."""

    credential = secret_field(label="New credential", help_text="The provider's API key. It is stored encrypted.")
    field_order = ("credential", "reason")
