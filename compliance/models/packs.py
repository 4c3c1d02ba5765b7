"""Evidence for auditors: packs for a period, and what people state where nothing can be computed."""

from uuid import uuid4

from django.db import models
from django.db.models import F, Q


class EvidencePack(models.Model):
    """One pack: asked for, made by a job, and kept for as long as the policy of the class Exports says."""

    class Framework(models.TextChoices):
        ALL = "all", "All of them"
        SOC2 = "soc2", "SOC 2"
        GDPR = "gdpr", "GDPR"
        HIPAA = "hipaa", "HIPAA"
        AI_ACT = "ai_act", "EU AI Act"

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        DELETED = "deleted", "Deleted"

    public_id = models.UUIDField(unique=True, default=uuid4, editable=False)
    framework = models.CharField(max_length=8, choices=Framework, default=Framework.ALL)
    first_day = models.DateField("first day", help_text="UTC.")
    last_day = models.DateField("last day", help_text="UTC; it is part of the period.")
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED, editable=False)
    problem = models.TextField(blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    asked_by_kind = models.CharField(max_length=16, editable=False)
    asked_by_id = models.CharField(max_length=100, editable=False)
    asked_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)
    records = models.BigIntegerField(null=True, editable=False)
    file_bytes = models.BigIntegerField(null=True, editable=False)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True, editable=False, help_text="Of the file, in hex.")
    downloads = models.PositiveIntegerField(default=0, editable=False)
    expires_on = models.DateField(null=True, editable=False, help_text="On this day (UTC) the file is deleted.")
    deleted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "evidence pack"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                name="evidence_pack_period",
                condition=Q(last_day__gte=F("first_day")),
                violation_error_message="The last day is before the first.",
            ),
            models.CheckConstraint(
                name="evidence_pack_ready_has_file",
                condition=~Q(state="ready") | (~Q(sha256="") & Q(expires_on__isnull=False)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_framework_display()}, {self.first_day} to {self.last_day}"


class ControlStatement(models.Model):
    """What somebody states about a control that nothing can compute. Never changed: a later one takes its place."""

    control = models.CharField(max_length=50, editable=False)
    role = models.CharField("your role", max_length=100, help_text="In which you state this, e.g. Security officer.")
    text = models.TextField("statement", help_text="What is so, and where the evidence is. No personal data.")
    said_by = models.CharField(max_length=120, editable=False)
    said_at = models.DateTimeField(auto_now_add=True)
    expires_on = models.DateField(
        "good until", help_text="UTC, at most a year from now. Then it has to be stated anew."
    )

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("control", "-id"), name="control_statement_latest"),)

    def __str__(self) -> str:
        return f"{self.control} until {self.expires_on}"
