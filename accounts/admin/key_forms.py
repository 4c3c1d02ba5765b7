"""The forms that issue and change API keys."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from django.core.cache import cache
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminTextareaWidget,
)

from accounts.models import ApiKey
from accounts.models.keys import DEFAULT_SCOPES, SCOPES
from compliance.admin.fields import LinesField
from compliance.admin.forms import GovernedForm

ONE_DAY_S = 86_400
BOUNDS = ("scopes", "allowed_models", "allowed_networks", "expires_at")
TERMS = ("application", "name", "environment", *BOUNDS)
ModelNames = Callable[[], Sequence[str]]


class KeyForm(GovernedForm):
    """What both forms share: scopes, models and networks as something that people can fill in."""

    scopes = forms.MultipleChoiceField(
        choices=list(SCOPES.items()),
        initial=list(DEFAULT_SCOPES),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Which endpoints it may call.",
    )
    allowed_models = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(attrs={"data-placeholder": "Every model"}),
        help_text="Leave empty for every model of the gateway, also those added later.",
    )
    allowed_networks = LinesField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "10.0.0.0/8"}),
        help_text="Networks or addresses that may use the key, one a line. Leave empty for any.",
    )

    model_names: ClassVar[ModelNames] = staticmethod(tuple)
    """The models there are; the gateway, which serves them, sets it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A model may have gone since a key was limited to it; the limit stays until somebody takes it away.
        names = dict.fromkeys([*type(self).model_names(), *self.instance.allowed_models])
        if "allowed_models" in self.fields:
            self.fields["allowed_models"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        if "expires_at" in self.fields:
            self.fields["expires_at"].help_text = "Date and time in UTC. Leave empty for a key that never expires."

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = ("name", *BOUNDS)


class ChangeKeyForm(KeyForm):
    """Changes what a key may do."""


class IssueKeyForm(KeyForm):
    """Issues a key. Its number makes sure that a form sent twice, by reload or double click, issues one key."""

    nonce = forms.CharField(widget=forms.HiddenInput, max_length=64)

    class Meta(KeyForm.Meta):
        fields = TERMS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["nonce"].initial = secrets.token_urlsafe(16)

    def spend(self) -> None:
        """Marks the form as used, until the key turns out not to be issued (`give_back`).

        Raises:
            ValidationError: it has issued its key.
        """
        if not cache.add(self._cache_key, True, ONE_DAY_S):
            raise forms.ValidationError(
                "This form has issued its key already, and the secret is shown only once. Find the key in the list; "
                "if nobody copied the secret, revoke that key and open the form anew."
            )

    def give_back(self) -> None:
        cache.delete(self._cache_key)

    @property
    def _cache_key(self) -> str:
        return f"issued-by-form/{self.cleaned_data['nonce']}"

    @property
    def terms(self) -> dict[str, Any]:
        """The arguments of `keys.issue`."""
        return {name: self.cleaned_data[name] for name in TERMS}
