"""What people add to, or take off, what was charged."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import ApiKey, Application, Tenant
from accounts.tokens import ENVIRONMENTS

MOST_NANO = 10**17
"""A hundred million dollars: what is more is a slip of the keyboard, and must not fill a meter to its end."""


class Adjustment(models.Model):
    """A correction of what a tenant was charged: of one request, or of whatever its scope names. Rows only grow; of one
    that is there, nothing changes but that it is applied to the ledger.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Not in the budgets yet"
        APPLIED = "applied", "Applied"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="adjustments")
    request_id = models.UUIDField(
        "request", null=True, blank=True, help_text="The request it corrects; empty for one that is about none."
    )
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, null=True, blank=True, related_name="adjustments"
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, blank=True, related_name="adjustments", verbose_name="API key"
    )
    environment = models.CharField(
        max_length=16, choices=[(name, name.capitalize()) for name in ENVIRONMENTS], blank=True
    )
    model = models.CharField(max_length=200, blank=True)
    end_user = models.CharField(max_length=27, blank=True, verbose_name="end user")
    tag = models.CharField(max_length=64, blank=True)
    tag_value = models.CharField(max_length=64, blank=True)
    amount_nano = models.BigIntegerField("amount, nano-dollars", help_text="Less than nothing: a credit.")
    reason = models.CharField(max_length=500, validators=[MinLengthValidator(3)])
    actor_kind = models.CharField(max_length=16, editable=False)
    actor_id = models.CharField(max_length=100, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    at = models.DateTimeField(
        default=timezone.now, editable=False, help_text="The periods it belongs to are those of this time."
    )
    charged = ArrayField(
        models.BigIntegerField(),
        default=list,
        blank=True,
        editable=False,
        help_text="The ledger's ids of the budget meters that the request was charged to.",
    )
    state = models.CharField(max_length=8, choices=State, default=State.PENDING, editable=False)
    applied_at = models.DateTimeField(null=True, blank=True, editable=False)
    meters = ArrayField(
        models.TextField(),
        default=list,
        blank=True,
        editable=False,
        help_text="The names of the budget meters that it has changed.",
    )

    class Meta:
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=("tenant", "created_at"), name="adjustment_of_tenant"),
            models.Index(fields=("request_id",), name="adjustment_of_request", condition=Q(request_id__isnull=False)),
            models.Index(fields=("created_at",), name="adjustment_pending", condition=Q(state="pending")),
        )
        constraints = (
            models.CheckConstraint(
                name="adjustment_of_something",
                condition=~Q(amount_nano=0) & Q(amount_nano__gte=-MOST_NANO, amount_nano__lte=MOST_NANO),
                violation_error_message="Enter an amount that is not zero, and at most $100,000,000.",
            ),
            models.CheckConstraint(name="adjustment_has_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="adjustment_applied_has_time",
                condition=Q(state="applied") ^ Q(applied_at__isnull=True),
            ),
            models.CheckConstraint(
                name="adjustment_tag_has_value",
                condition=Q(tag="", tag_value="") | (~Q(tag="") & ~Q(tag_value="")),
                violation_error_message="A tag needs its value, and a value its tag.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.tenant.slug}, {self.created_at:%Y-%m-%d %H:%M}"

    def clean(self) -> None:
        """Refuses what belongs to another tenant.

        Raises:
            ValidationError: by field.
        """
        owned = (("application", self.application), ("api_key", self.api_key))
        errors = {
            name: "It belongs to another tenant."
            for name, row in owned
            if row is not None and row.tenant_id != self.tenant_id
        }
        key = self.api_key
        if key and self.application_id not in (None, key.application_id) and "api_key" not in errors:
            errors["api_key"] = "It is a key of another application."
        if errors:
            raise ValidationError(errors)
