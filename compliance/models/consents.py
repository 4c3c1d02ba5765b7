"""What people were told, and what they agreed to (fields and states of ISO/IEC TS 27560)."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from compliance.consent_states import EVENT_TYPES, OPT_OUT_SIGNAL
from compliance.models.subjects import Subject


class Purpose(models.Model):
    """What content may be kept or used for. Those without a tenant are everybody's."""

    STORE_CONVERSATIONS = "store_conversations"

    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.PROTECT, related_name="+", null=True, blank=True, help_text="Empty: of all."
    )
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    honours_gpc = models.BooleanField(
        default=False,
        verbose_name="opted out by Sec-GPC",
        help_text="Sale, sharing, training, analytics: a browser that sends Sec-GPC: 1 opts out of it.",
    )

    class Meta:
        ordering = ("tenant_id", "slug")
        constraints = (models.UniqueConstraint(fields=("tenant", "slug"), name="purpose_once", nulls_distinct=False),)

    def __str__(self) -> str:
        return self.name


class ConsentNotice(models.Model):
    """One version of what people are told about one purpose, in one language. Fixed once it is published."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    purpose = models.SlugField(max_length=50)
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=35, default="en", help_text="As in BCP 47: en, de-CH.")
    title = models.CharField(max_length=200)
    text = models.TextField()
    text_sha256 = models.CharField(max_length=64, editable=False)
    material_change = models.BooleanField(
        default=True, help_text="Consent to earlier versions does not cover this one any more."
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    controller = models.CharField(max_length=200, help_text="Who decides about the data, with an address.")
    lawful_basis = models.CharField(max_length=50, default="consent")
    personal_data = ArrayField(models.CharField(max_length=50), default=list, help_text="Categories, e.g. prompts.")
    recipients = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    storage_location = models.CharField(max_length=100, blank=True)
    jurisdiction = models.CharField(max_length=50, blank=True, help_text="E.g. EU, US-CA.")
    retention = models.CharField(max_length=100, blank=True, help_text="As people are told, e.g. 30 days.")
    withdrawal_method = models.CharField(max_length=200, blank=True)
    authority = models.CharField(max_length=200, blank=True, help_text="Where people may complain.")
    rights = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "notice"
        ordering = ("tenant_id", "purpose", "-version", "language")
        indexes = (
            # What the storing INSERT asks for: the newest material version of a purpose.
            models.Index(
                fields=("tenant", "purpose", "-version"),
                name="notice_material",
                condition=Q(status="published", material_change=True),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("tenant", "purpose", "version", "language"), name="notice_once"),
            models.CheckConstraint(
                name="notice_published_has_time", condition=Q(status="published") ^ Q(published_at__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return f"{self.purpose} {self.version} ({self.language})"


class ConsentRecord(models.Model):
    """What one person decided about one purpose. Rows only follow one another: the live one is what holds now."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        GIVEN = "given", "Given"
        REFUSED = "refused", "Refused"
        REAFFIRMED = "reaffirmed", "Re-affirmed"
        WITHDRAWN = "withdrawn", "Withdrawn"
        EXPIRED = "expired", "Expired"
        TERMINATED = "terminated", "Terminated"
        INVALIDATED = "invalidated", "Invalidated"

    ALLOWING = (State.GIVEN, State.REAFFIRMED)
    """Only these allow anything."""

    record_id = models.UUIDField(default=uuid.uuid4, help_text="The same for all rows that follow one another.")
    receipt_id = models.UUIDField(default=uuid.uuid4, unique=True)
    schema_version = models.CharField(max_length=20, default="ISO 27560:2023")
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="consents")
    purpose = models.SlugField(max_length=50)
    notice = models.ForeignKey(ConsentNotice, on_delete=models.PROTECT, related_name="+")
    notice_version = models.PositiveIntegerField(help_text="The notice's own, repeated for the INSERT that asks.")
    state = models.CharField(max_length=16, choices=State)
    live = models.BooleanField(default=True)
    event_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    collection_method = models.CharField(max_length=100, blank=True)
    jurisdiction = models.CharField(max_length=50, blank=True)
    opted_out_by_gpc = models.BooleanField(default=False)
    recorded_by = models.CharField(max_length=120, help_text="The actor's kind and id.")
    receipt = models.JSONField(null=True, editable=False, help_text="Signed.")
    created_at = models.DateTimeField(
        db_default=Now(),
        editable=False,
        help_text="By the database's clock; content is cut by this, not by `event_at`.",
    )

    class Meta:
        verbose_name = "consent"
        ordering = ("-id",)
        indexes = (models.Index(fields=("tenant", "purpose", "state"), name="consent_by_purpose"),)
        constraints = (
            models.UniqueConstraint(fields=("subject", "purpose"), name="consent_one_live", condition=Q(live=True)),
        )

    def __str__(self) -> str:
        return f"{self.purpose}: {self.state}"

    @property
    def event_type(self) -> str:
        """What kind of event led to this state (ISO/IEC TS 27560)."""
        return OPT_OUT_SIGNAL if self.opted_out_by_gpc else EVENT_TYPES[self.state]
