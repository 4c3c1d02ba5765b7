"""What providers are called with: versions of a secret, one of them in use, and where its values come from."""

from django.db import models
from django.db.models import Q

from gateway.models.routes import Provider


class Origin(models.TextChoices):
    """Where a provider's secret comes from."""

    TYPED = "typed", "Typed in here"
    ENVIRONMENT = "environment", "Environment variable"
    FILE = "file", "File"
    AWS = "aws", "AWS Secrets Manager"
    VAULT = "vault", "HashiCorp Vault"


class CredentialSource(models.Model):
    """Where a provider's secret is looked up again and again. A provider without one has what was typed in."""

    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, related_name="source", editable=False)
    kind = models.CharField(max_length=16, choices=[choice for choice in Origin.choices if choice[0] != Origin.TYPED])
    reference = models.CharField(max_length=300)
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)
    problem = models.CharField(max_length=300, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.reference}"


class ProviderCredential(models.Model):
    """One version of the secret that a provider is called with, encrypted under the root key. It is sent to the address
    that it was stored for, and to no other.

    pending → current → retired, and back to current while it is not destroyed; pending → refused.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        CURRENT = "current", "In use"
        RETIRED = "retired", "Retired"
        REFUSED = "refused", "Refused"

    class Outcome(models.TextChoices):
        GOOD = "good", "The provider accepts it"
        BAD = "bad", "The provider refuses it"
        UNKNOWN = "unknown", "The provider did not say"

    audit_secret_fields = frozenset({"sealed"})

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="credentials")
    version = models.PositiveIntegerField(default=1, editable=False)
    state = models.CharField(max_length=16, choices=State, default=State.PENDING, editable=False)
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.TYPED, editable=False)
    sealed = models.BinaryField(editable=False, null=True)
    last_four = models.CharField(max_length=4, editable=False, blank=True)
    address = models.CharField(
        max_length=300, editable=False, help_text="Scheme, host and port of the provider that it was meant for."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True, editable=False)
    answered = models.CharField(max_length=100, blank=True, editable=False, help_text="What the provider answered.")
    tested_at = models.DateTimeField(null=True, blank=True, editable=False)
    tests = models.PositiveIntegerField(default=0, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    destroyed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "credential"
        ordering = ("provider", "-version")
        constraints = (
            models.UniqueConstraint(fields=("provider", "version"), name="credential_version_once"),
            models.UniqueConstraint(fields=("provider",), condition=Q(state="current"), name="credential_one_current"),
            models.UniqueConstraint(fields=("provider",), condition=Q(state="pending"), name="credential_one_pending"),
            models.CheckConstraint(
                name="credential_gone_when_destroyed",
                condition=Q(sealed__isnull=True, destroyed_at__isnull=False)
                | Q(sealed__isnull=False, destroyed_at__isnull=True),
            ),
            models.CheckConstraint(
                name="credential_in_use_is_there",
                condition=Q(state__in=("retired", "refused"), ended_at__isnull=False)
                | Q(state__in=("pending", "current"), ended_at__isnull=True, destroyed_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider}, version {self.version}"
