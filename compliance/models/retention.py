"""How long each class of data is kept."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from compliance.registry import Class
from compliance.retention_rules import in_words

LONGEST_DAYS = 36_500


class RetentionPolicy(models.Model):
    """For how many days one class of data is kept, and for how many the law wants it kept at least.

    The one without a tenant holds for all tenants that have none of their own; its floor binds theirs, too.
    """

    class DataClass(models.TextChoices):
        """The classes that are kept by the day. Usage goes by whole months, for all tenants: USAGE_MONTHS_KEPT."""

        CONTENT = Class.CONTENT.value, "Conversations"
        METADATA = Class.METADATA.value, "Storage decisions"
        AUDIT = Class.AUDIT.value, "Audit log"
        CONSENT = Class.CONSENT.value, "Consent records"
        REQUESTS = Class.REQUESTS.value, "Subject requests"
        EXPORTS = Class.EXPORTS.value, "Exports"
        BACKUPS = Class.BACKUPS.value, "Backups"

    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="Empty: of every tenant that has none of its own.",
    )
    data_class = models.CharField(max_length=16, choices=DataClass, verbose_name="class of data")
    days = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_DAYS)],
        verbose_name="days kept",
        help_text="Whole days (UTC) after the day on which it was written; consents, requests: on which they ended.",
    )
    floor_days = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(LONGEST_DAYS)],
        verbose_name="days required by law",
        help_text="It is kept at least so long, also from erasure. 0: no law says so.",
    )
    floor_basis = models.CharField(
        max_length=200, blank=True, verbose_name="which law", help_text="E.g. HIPAA, 45 CFR 164.316: six years."
    )
    reason = models.CharField(max_length=500, help_text="Why so long and no longer. It stands in purge reports.")
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts the changes.")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "retention policies"
        ordering = (F("tenant").asc(nulls_first=True), "data_class")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "data_class"),
                name="retention_once",
                nulls_distinct=False,
                violation_error_message="There is a policy for this class already; change that one.",
            ),
            models.CheckConstraint(
                name="retention_above_floor",
                condition=Q(days__gte=F("floor_days")),
                violation_error_message="The law requires more days than it would be kept.",
            ),
            models.CheckConstraint(name="retention_at_least_a_day", condition=Q(days__gte=1)),
            models.CheckConstraint(
                name="retention_floor_has_basis",
                condition=Q(floor_days=0) | ~Q(floor_basis=""),
                violation_error_message="Say which law requires it.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_data_class_display()}: {in_words(self.days)}"
