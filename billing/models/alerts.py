"""What somebody wants to be told of, and what they were told."""

import uuid
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from billing.models.webhooks import WebhookEndpoint

A_LEVEL = [MinValueValidator(1), MaxValueValidator(1000)]


class AlertKind(models.TextChoices):
    BUDGET = "budget_threshold", "Budget used up to a level"
    SOFT = "soft_budget_exceeded", "Soft budget exceeded"
    PROJECTED = "projected_spend", "Budget likely to be exceeded"
    DAILY = "daily_spend", "Spend of a day"
    WEEKLY = "weekly_spend", "Spend of a week"
    UNUSUAL = "unusual_spend", "Unusual spend"
    RATE = "rate_limit_approached", "Rate limit approached"
    KEY_EXPIRING = "key_expiring", "API key about to be rotated, or to expire"
    KEY_ROTATED = "key_rotated", "API key rotated"
    KEY_UNUSED = "key_unused", "API keys that nobody uses"
    KEY_LEAKED = "key_leaked", "API key leaked"
    CREDENTIAL_FAILED = "credential_rotation_failed", "Rotation of a provider's credential failed"
    AUDIT_TAMPERED = "audit_tampered", "Audit log altered"
    AUDIT_LATE = "audit_late", "Audit log behind"
    SINK_FAILING = "audit_sink_failing", "Checkpoints of the audit log cannot be kept"
    SIEM_FAILING = "siem_failing", "SIEM gets no events"
    BACKUP_FAILED = "backup_failed", "Backup failed"
    BACKUP_OVERDUE = "backup_overdue", "No recent backup"
    DRILL_FAILED = "drill_failed", "Restore drill failed"
    DRILL_OVERDUE = "drill_overdue", "No recent restore drill"
    ENDPOINT_DISABLED = "endpoint_disabled", "Webhook endpoint disabled"
    TEST = "test", "Test"


OF_RULES = [kind for kind in AlertKind if kind not in (AlertKind.ENDPOINT_DISABLED, AlertKind.TEST)]
"""The kinds that a rule can ask for; the others happen by themselves."""
WITH_LEVELS = {
    AlertKind.BUDGET: [50, 80, 100],
    AlertKind.PROJECTED: [100],
    AlertKind.RATE: [90],
}
"""The kinds whose rules say at how many per cent, with the usual levels."""
OF_KEYS = (AlertKind.KEY_EXPIRING, AlertKind.KEY_ROTATED, AlertKind.KEY_UNUSED, AlertKind.KEY_LEAKED)
OF_PLATFORM = (
    AlertKind.CREDENTIAL_FAILED,
    AlertKind.AUDIT_TAMPERED,
    AlertKind.AUDIT_LATE,
    AlertKind.SINK_FAILING,
    AlertKind.SIEM_FAILING,
    AlertKind.BACKUP_FAILED,
    AlertKind.BACKUP_OVERDUE,
    AlertKind.DRILL_FAILED,
    AlertKind.DRILL_OVERDUE,
)
ANNOUNCED = (*OF_KEYS, *OF_PLATFORM)
"""The kinds that other apps announce (`actions/announcements.py`). They are told without a rule, too."""
WITH_AMOUNT = (AlertKind.DAILY, AlertKind.WEEKLY)


class AlertRule(models.Model):
    """What a tenant's people are told of, and how. Without a tenant it holds for each that has no rule of its kind."""

    audit_secret_fields = frozenset({"recipients"})

    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_rules",
        help_text="Empty: for every tenant that has no rule of this kind, not even an inactive one.",
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=32, choices=[(kind.value, kind.label) for kind in OF_RULES])
    levels = ArrayField(
        models.PositiveSmallIntegerField(validators=A_LEVEL),
        default=list,
        blank=True,
        help_text="Per cent of the limit, of budgets, projections and rate limits.",
    )
    amount_nano = models.BigIntegerField(
        "amount, nano-dollars",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Of a day's or a week's spend: the least that is told. Of unusual spend: the least excess over the "
        "usual that is told, $1 if empty.",
    )
    recipients = ArrayField(models.EmailField(), default=list, blank=True, help_text="Addresses that get e-mail.")
    notify_owners = models.BooleanField(
        "also the tenant's owners", default=False, help_text="Members of the tenant with the role owner and an address."
    )
    endpoints = models.ManyToManyField(
        WebhookEndpoint, blank=True, related_name="rules", verbose_name="webhook endpoints"
    )
    active = models.BooleanField(default=True)
    muted_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then alerts are logged, and nobody is told."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "alert rule"
        ordering = ("tenant__slug", "kind", "name", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "name"),
                name="alert_rule_name_once",
                nulls_distinct=False,
                violation_error_message="There is a rule of this name already.",
            ),
            models.CheckConstraint(
                name="alert_rule_amount",
                condition=Q(amount_nano__gt=0) | (Q(amount_nano__isnull=True) & ~Q(kind__in=WITH_AMOUNT)),
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Sorts the levels, presets the usual ones, and refuses what the kind does not have.

        Raises:
            ValidationError: by field, what to do.
        """
        if self.kind in OF_PLATFORM and self.tenant_id is not None:
            raise ValidationError({"tenant": "What this kind tells is the platform's; leave the tenant empty."})
        usual = WITH_LEVELS.get(AlertKind(self.kind)) if self.kind in AlertKind else None
        if self.levels and usual is None:
            raise ValidationError({"levels": "Rules of this kind have no levels; leave it empty."})
        self.levels = sorted(set(self.levels or usual or []))
        if self.kind in WITH_AMOUNT and self.amount_nano is None:
            raise ValidationError({"amount_nano": "Give the amount from which on it is told."})
        if self.amount_nano is not None and self.kind not in (*WITH_AMOUNT, AlertKind.UNUSUAL):
            raise ValidationError({"amount_nano": "Rules of this kind have no amount; leave it empty."})

    def is_muted(self, *, at: datetime) -> bool:
        return self.muted_until is not None and at < self.muted_until


class Alert(models.Model):
    """A level that was crossed. It stays open until the value is below again, and meanwhile is not raised again."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="alerts")
    rule = models.ForeignKey(AlertRule, on_delete=models.SET_NULL, null=True, related_name="alerts")
    kind = models.CharField(max_length=32, choices=AlertKind)
    subject = models.CharField(max_length=200, help_text="What it is about: the name of a meter, or of a spend.")
    label = models.CharField(max_length=200, help_text="The same in words, as it was called then.")
    period_start = models.DateTimeField()
    level = models.PositiveIntegerField(default=100, help_text="Per cent.")
    facts = models.JSONField(default=dict, help_text="The values at that time.")
    created_at = models.DateTimeField(auto_now_add=True)
    cleared_at = models.DateTimeField(null=True, help_text="When it was below the level again.")

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("tenant", "-created_at"), name="alert_tenant_newest"),)
        constraints = (
            # Once per crossing, whoever evaluates and how often: a second row for an open one is refused.
            models.UniqueConstraint(
                fields=("rule", "tenant", "subject", "period_start", "level"),
                condition=Q(cleared_at__isnull=True),
                name="alert_once_per_crossing",
            ),
            # The same of what other apps announce, with or without a rule.
            models.UniqueConstraint(
                fields=("kind", "tenant", "subject"),
                condition=Q(cleared_at__isnull=True, kind__in=ANNOUNCED),
                name="alert_announced_once",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.label}"


def new_message_id() -> str:
    """An id for a webhook message, the same in each of its attempts."""
    return f"msg_{uuid.uuid4().hex}"


class AlertDelivery(models.Model):
    """One alert on its way to one address or endpoint."""

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    class Status(models.TextChoices):
        PENDING = "pending", "On its way"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Given up"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=8, choices=Channel)
    target = models.CharField(max_length=500, help_text="The address, or the endpoint's URL at that time.")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    message_id = models.CharField(max_length=40, default=new_message_id, unique=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, help_text="Of an attempt under way: when it counts as lost.")
    response_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        ordering = ("id",)
        indexes = (models.Index(fields=("next_attempt_at",), condition=Q(status="pending"), name="alert_delivery_due"),)
        constraints = (
            models.UniqueConstraint(
                fields=("alert", "channel", "target", "endpoint"), name="alert_delivery_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                name="alert_delivery_finished_has_time",
                condition=Q(status="pending") ^ Q(finished_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_channel_display()} to {self.target}"
