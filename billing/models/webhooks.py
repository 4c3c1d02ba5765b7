"""Where alerts are posted to, and what they are signed with."""

from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q

from accounts.models import Tenant


class WebhookEndpoint(models.Model):
    """A URL that takes alerts in the form of Standard Webhooks. Without a tenant it is the platform's own."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        DISABLED = "disabled", "Disabled after failures"

    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="webhook_endpoints",
        help_text="Empty: the platform's own, which any rule may use.",
    )
    name = models.CharField(max_length=100)
    url = models.CharField(
        "URL", max_length=500, validators=[URLValidator(schemes=["http", "https"])], help_text="It takes POSTs."
    )
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    disabled_because = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "webhook endpoint"
        ordering = ("tenant__slug", "name", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "name"),
                name="webhook_endpoint_name_once",
                nulls_distinct=False,
                violation_error_message="There is an endpoint of this name already.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class WebhookSecret(models.Model):
    """What an endpoint's messages are signed with, encrypted under the root key. Two of them while one is replaced."""

    audit_secret_fields = frozenset({"sealed"})

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="secrets")
    sealed = models.BinaryField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(
        null=True, editable=False, help_text="Of a replaced secret: until when it signs, too."
    )

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("endpoint",), condition=Q(ends_at__isnull=True), name="webhook_secret_one_current"
            ),
        )

    def __str__(self) -> str:
        return f"secret of {self.endpoint}"

    @property
    def tenant_id(self) -> int | None:
        return self.endpoint.tenant_id
