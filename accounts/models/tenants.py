"""Tenants and their applications."""

import secrets
import zoneinfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts import salts


def validate_time_zone(name: str) -> None:
    """Refuses what is not a name of the IANA time zone database, or is not one that PostgreSQL knows too."""
    region = "/" in name or name == "UTC"  # not `localtime`, `Factory` and the like
    if not region or name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name!r} is not a time zone; use an IANA name such as Europe/Berlin.")


def validate_rotation_days(days: int) -> None:
    """Refuses a rotation before its first notice, which comes 14 days ahead."""
    if days and not 15 <= days <= 3650:
        raise ValidationError("Choose from 15 to 3,650 days, so that its first notice, 14 days ahead, can come; or 0.")


def new_salt() -> bytes:
    """A salt for a tenant's pseudonyms."""
    return secrets.token_bytes(32)


def sealed_salt() -> bytes:
    """A new salt, as it is stored."""
    return salts.seal(new_salt())


class Tenant(models.Model):
    """An organisation whose applications use the gateway. Nothing is shared between two of them."""

    audit_secret_fields = frozenset({"pseudonym_salt"})

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        CLOSED = "closed", "Closed"

    slug = models.SlugField(max_length=50, unique=True, help_text="Short name, used in reports and logs.")
    name = models.CharField(max_length=100)
    time_zone = models.CharField(
        max_length=50,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Days, weeks and months of its budgets begin at midnight here, e.g. Europe/Berlin.",
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    key_rotation_days = models.PositiveSmallIntegerField(
        "rotate keys after, days",
        null=True,
        blank=True,
        validators=[validate_rotation_days],
        help_text="How long a secret is used before it is replaced. Empty: as the installation does; 0: never.",
    )
    key_overlap_days = models.PositiveSmallIntegerField(
        "overlap, days",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text="How long the old secret works beside the new one. Empty: as the installation does.",
    )
    pseudonym_salt = models.BinaryField(default=sealed_salt, editable=False)  # see accounts/salts.py; never changes
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("slug",)
        constraints = (
            models.CheckConstraint(
                name="tenant_closed_has_time",
                condition=models.Q(status="closed") ^ models.Q(closed_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return self.name


class Application(models.Model):
    """One program of a tenant. Keys are issued to applications."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="applications")
    slug = models.SlugField(max_length=50, help_text="Short name, unique within its tenant.")
    name = models.CharField(max_length=100)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("tenant", "slug")
        constraints = (models.UniqueConstraint(fields=("tenant", "slug"), name="application_slug_once"),)

    def __str__(self) -> str:
        return f"{self.tenant.slug}/{self.slug}"
