"""The form of an alert rule: levels, addresses and endpoints as something that people can fill in."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q
from unfold.widgets import UnfoldAdminSelect2MultipleWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from billing.models import AlertRule, WebhookEndpoint
from compliance.admin.fields import LinesField
from compliance.admin.forms import GovernedForm


class LevelsField(forms.CharField):
    """Whole per cents, with commas between."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        words = super().clean(value).replace("%", " ").replace(",", " ").split()
        if not all(word.isascii() and word.isdecimal() and len(word) < 5 for word in words):
            raise ValidationError("Write whole per cents, such as 50, 80, 100.")
        return [int(word) for word in words]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class AlertRuleForm(GovernedForm):
    """What is told, and to whom."""

    levels = LevelsField(
        required=False,
        label="Levels, per cent",
        help_text="Of budgets, projections and rate limits. Leave empty for the usual ones: 50, 80 and 100 of budgets, "
        "100 of projections, 90 of rate limits.",
    )
    recipients = LinesField(
        required=False,
        label="E-mail to",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Addresses, one a line.",
    )
    endpoints = forms.ModelMultipleChoiceField(
        queryset=WebhookEndpoint.objects.none(),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        label="Webhook endpoints",
        help_text="Of the rule's tenant, and the platform's own.",
    )

    class Meta:
        model = AlertRule
        fields = (
            "tenant",
            "name",
            "kind",
            "levels",
            "amount_nano",
            "recipients",
            "notify_owners",
            "endpoints",
            "active",
            "muted_until",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "endpoints" in self.fields:
            chosen: Any = self.fields["endpoints"]
            chosen.queryset = WebhookEndpoint.objects.select_related("tenant")
            if self.instance.pk is not None:
                own = Q(tenant=None) | Q(tenant=self.instance.tenant_id)
                chosen.queryset = chosen.queryset.filter(own)
                self.fields["endpoints"].initial = list(self.instance.endpoints.values_list("pk", flat=True))

    def clean_recipients(self) -> list[str]:
        addresses: list[str] = self.cleaned_data["recipients"]
        for address in addresses:
            try:
                validate_email(address)
            except ValidationError as error:
                raise ValidationError(f"{address} is no e-mail address.") from error
        return addresses
