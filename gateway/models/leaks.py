"""Keys that were found where they do not belong, and whose reports of such are believed."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from accounts.models import ApiKey, Tenant
from gateway.leaks import github


def validate_public_key(pem: str) -> None:
    """Refuses what is no public key that GitHub could sign with."""
    try:
        github.public_key(pem)
    except ValueError as error:
        raise ValidationError("Paste a public key as GitHub lists it, from BEGIN to END PUBLIC KEY.") from error


class ScanningKey(models.Model):
    """A public key that GitHub signs its reports with, pasted by somebody who has looked it up. Nothing fetches any."""

    identifier = models.CharField(
        max_length=100,
        unique=True,
        help_text="As GitHub lists it: key_identifier at /meta/public_keys/secret_scanning.",
    )
    public_key = models.TextField(
        max_length=1000, validators=[validate_public_key], help_text="From BEGIN to END PUBLIC KEY."
    )
    active = models.BooleanField(default=True, help_text="Whether reports signed with it are believed.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "scanning key"
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.identifier[:16]


class Leak(models.Model):
    """A secret of a key that was seen by one kind of source. The secret itself is not kept: `public_id` names it.

    Handled once its secret has ended; until then it waits, with its key suspended where ending the secret has failed.
    """

    class Source(models.TextChoices):
        GITHUB = "github", "GitHub secret scanning"
        TRAFFIC = "traffic", "Requests through the gateway"
        COMMAND = "command", "manage.py report_leak"
        ADMIN = "admin", "Reported in the admin"

    class Outcome(models.TextChoices):
        REVOKED = "revoked", "Key revoked"
        ROTATED = "rotated", "Secret replaced"
        ENDED = "ended", "Old secret ended"
        DEAD = "dead", "Did not work any more"
        SUSPENDED = "suspended", "Key suspended for now"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="+")
    public_id = models.CharField(max_length=12)
    source = models.CharField(max_length=16, choices=Source)
    place = models.CharField(max_length=50, blank=True)
    url = models.CharField("URL", max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    sightings = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "leaked key"
        ordering = ("-id",)
        indexes = (models.Index(fields=("id",), condition=Q(handled_at=None), name="leak_waits"),)
        constraints = (
            models.UniqueConstraint(fields=("public_id", "source"), name="leak_once_each_source"),
            models.CheckConstraint(
                name="leak_handled_has_outcome",
                condition=Q(outcome__in=("", "suspended")) ^ Q(handled_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.key}: {self.get_source_display()}"
