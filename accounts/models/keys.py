"""API keys. The secret itself is never stored: only its keyed digest."""

import ipaddress

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from accounts.models.tenants import Application, Tenant
from accounts.tokens import ENVIRONMENTS, masked

SCOPES = {
    "chat": "Chat completions",
    "models": "List models",
    "moderations": "Ask moderation models",
    "consents": "Record and withdraw people's consent",
    "subjects": "Requests of people about their data, erasure included",
    "audit": "Read and export the tenant's audit log",
    "guards": "Read and change the tenant's guard policies, dictionaries and patterns",
}
DEFAULT_SCOPES = ("chat", "models")
"""What a key may do where nobody says otherwise: nothing about people's data."""


def validate_network(text: str) -> None:
    """Refuses what is not an address or a network in CIDR form."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValidationError(f"{text!r} is not a network; write it as 10.0.0.0/8 or 2001:db8::/32.") from error


def validate_scope(name: str) -> None:
    """Refuses a scope that no endpoint knows."""
    if name not in SCOPES:
        raise ValidationError(f"{name!r} is not a scope; choose from {', '.join(SCOPES)}.")


class ApiKey(models.Model):
    """A credential of one application in one environment.

    It stays the same key, with its budgets, limits and usage, when its secret is replaced: `public_id`,
    `pepper_version`, `digest` and `last_four` are those of the current secret.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        REVOKED = "revoked", "Revoked"

    audit_secret_fields = frozenset({"digest"})

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="api_keys", editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=100, help_text="What the key is for, e.g. the service that holds it.")
    environment = models.CharField(max_length=16, choices=[(e, e.capitalize()) for e in ENVIRONMENTS])
    public_id = models.CharField(max_length=12, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    secret_since = models.DateTimeField(default=timezone.now, editable=False)
    rotation_due_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its secret is replaced by the clock, if ever."
    )
    scopes = ArrayField(models.CharField(max_length=20, validators=[validate_scope]), default=list)
    allowed_models = ArrayField(
        models.CharField(max_length=100), default=list, blank=True, help_text="Empty: every model of the gateway."
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=50, validators=[validate_network]),
        default=list,
        blank=True,
        help_text="Networks that may use the key, e.g. 10.0.0.0/8. Empty: any.",
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at",)
        indexes = (models.Index(fields=("tenant", "application"), name="key_tenant_application"),)
        constraints = (
            # That it stays revoked is a trigger's task (sql/final_states.sql).
            models.CheckConstraint(
                name="key_revoked_has_time",
                condition=models.Q(status="revoked") ^ models.Q(revoked_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """What may be shown of the key: its beginning and its last four characters."""
        return masked(environment=self.environment, public_id=self.public_id, last_four=self.last_four)
