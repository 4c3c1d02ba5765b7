"""What surrounds a secret that is replaced: the one before, the way to the new one, and when each was last used."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.keys import ApiKey
from accounts.models.tenants import Tenant
from accounts.tokens import masked


class RetiringSecret(models.Model):
    """A secret that a rotation has replaced. It works until `ends_at`, or until somebody closes the overlap; as long as
    nobody has claimed its successor it goes on working, whatever `ends_at` says."""

    audit_secret_fields = frozenset({"digest"})

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", editable=False)
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="retiring_secrets")
    public_id = models.CharField(max_length=12, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(editable=False)
    digest = models.BinaryField(
        max_length=32, null=True, blank=True, editable=False, help_text="None once it has ended."
    )
    last_four = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False, help_text="When it was replaced.")
    ends_at = models.DateTimeField(help_text="Until then it works beside the one that replaces it.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("ends_at",), condition=Q(ended_at=None), name="retiring_secret_due"),)
        constraints = (
            # A dump holds nothing of what does not work any more.
            models.CheckConstraint(
                name="retiring_secret_ended_is_gone", condition=Q(ended_at__isnull=True) ^ Q(digest__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """What may be shown of it."""
        return masked(environment=self.key.environment, public_id=self.public_id, last_four=self.last_four)


class SecretClaim(models.Model):
    """The way to a new secret: a link that reveals it once. Until then both are kept, sealed under the root key."""

    audit_secret_fields = frozenset({"link_hash", "link", "secret"})

    class State(models.TextChoices):
        WAITING = "waiting", "Waits to be claimed"
        CLAIMED = "claimed", "Claimed"
        EXPIRED = "expired", "Expired"
        REPLACED = "replaced", "Replaced by a newer link"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", editable=False)
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="claims")
    replaces = models.ForeignKey(RetiringSecret, on_delete=models.PROTECT, related_name="claims", editable=False)
    public_id = models.CharField(max_length=12, unique=True, editable=False, help_text="Of the secret.")
    link_hash = models.BinaryField(max_length=32, unique=True, editable=False, help_text="SHA-256 of the link's token.")
    link = models.BinaryField(null=True, blank=True, editable=False, help_text="The token, sealed; None once over.")
    secret = models.BinaryField(
        null=True, blank=True, editable=False, help_text="The key's text, sealed; None once over."
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("key",), condition=Q(state="waiting"), name="secret_claim_one_waits"),
            models.CheckConstraint(
                name="secret_claim_over_is_gone",
                condition=Q(state="waiting", closed_at__isnull=True, secret__isnull=False, link__isnull=False)
                | (~Q(state="waiting") & Q(closed_at__isnull=False, secret__isnull=True, link__isnull=True)),
            ),
        )

    def __str__(self) -> str:
        return f"Claim of {self.public_id}"


class SecretUse(models.Model):
    """When a secret last proved right, told by the processes that saw it (`accounts/uses.py`). No trigger of policy
    looks at this table."""

    public_id = models.CharField(max_length=12, primary_key=True)
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="uses")
    last_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.public_id} at {self.last_used_at:%Y-%m-%d %H:%M}"
