"""The form that sets a price: free is only what somebody says is free."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from billing.models import Price
from compliance.admin.forms import GovernedForm

TYPED = ("input_nano", "output_nano")
AS_INPUT = ("cached_input_nano", "cache_write_nano")


class PriceForm(GovernedForm):
    """Presets no rate. Kinds of input without a rate of their own cost what input does, as in the list prices."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="By its slug.")

    provider_slugs: ClassVar[Callable[[], Sequence[str]]] = staticmethod(tuple)
    """The providers there are; the gateway, which calls them, sets it."""

    class Meta:
        model = Price
        fields = (
            *("provider", "model", "service_tier", "valid_from"),
            *(*TYPED, *AS_INPUT, "reasoning_nano", "request_nano", "search_nano"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "provider" in self.fields:
            # A provider may have gone since; what it cost stays on record, and can be corrected.
            slugs = dict.fromkeys([*type(self).provider_slugs(), *filter(None, [self.instance.provider])])
            self.fields["provider"].choices = [("", "Choose one"), *((s, s) for s in slugs)]  # type: ignore[attr-defined]
        for name in self.fields.keys() & {*TYPED, *AS_INPUT}:
            self.fields[name].initial = None  # the columns' default is 0, which would make tokens free by oversight
        for name in self.fields.keys() & set(AS_INPUT):
            self.fields[name].required = False
            self.fields[name].help_text = "Leave empty where it costs what input costs."
            self.fields[name].widget.attrs["placeholder"] = "as input"
        for name, meaning in {"reasoning_nano": "as output", "search_nano": "refused"}.items():
            if name in self.fields:
                self.fields[name].widget.attrs["placeholder"] = meaning

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in self.fields.keys() & set(AS_INPUT):
            if self.cleaned_data.get(name) is None and name not in self.errors:
                self.cleaned_data[name] = self.cleaned_data.get("input_nano")
        return cleaned
