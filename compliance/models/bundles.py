"""Exports of the audit log: who asked for which part of which log, and the file that came of it."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class AuditExport(models.Model):
    """One bundle: asked for, made by a job, and kept for as long as the policy of the class Exports says."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        DELETED = "deleted", "Deleted"

    public_id = models.UUIDField(unique=True, default=uuid4, editable=False)
    tenant_id = models.BigIntegerField(null=True, blank=True, help_text="Whose log. Empty: the platform's.")
    filters = models.JSONField(default=dict, blank=True, help_text="Which events. Empty: the whole log.")
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED, editable=False)
    problem = models.TextField(blank=True, editable=False, help_text="Why it failed, or was deleted before its time.")
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    asked_by_kind = models.CharField(max_length=16, editable=False)
    asked_by_id = models.CharField(max_length=100, editable=False)
    asked_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)
    origin = models.CharField(max_length=200, blank=True, editable=False, help_text="The name of the log.")
    tree_size = models.BigIntegerField(null=True, editable=False, help_text="How many events the log had.")
    root = models.CharField(max_length=64, blank=True, editable=False, help_text="The root of the log then, in hex.")
    events = models.BigIntegerField(null=True, editable=False, help_text="How many are in the bundle.")
    file_bytes = models.BigIntegerField(null=True, editable=False)
    sha256 = models.CharField(max_length=64, blank=True, editable=False, help_text="Of the file, in hex.")
    subjects = ArrayField(
        models.CharField(max_length=27),
        null=True,
        default=list,
        editable=False,
        help_text="Surrogates that it names. NULL: too many to list; take it that it names anyone.",
    )
    downloads = models.PositiveIntegerField(default=0, editable=False)
    expires_on = models.DateField(null=True, editable=False, help_text="On this day (UTC) the file is deleted.")
    deleted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "audit export"
        ordering = ("-id",)
        permissions = (("download_any_auditexport", "Can download audit exports that others asked for"),)
        indexes = (
            models.Index(fields=("tenant_id", "-id"), name="audit_export_tenant"),
            models.Index(fields=("id",), name="audit_export_waiting", condition=Q(state__in=("queued", "running"))),
            models.Index(fields=("expires_on",), name="audit_export_due", condition=Q(deleted_at=None)),
        )
        constraints = (
            models.CheckConstraint(
                name="audit_export_ready_has_file",
                condition=~Q(state="ready") | (~Q(sha256="") & Q(expires_on__isnull=False)),
            ),
        )

    def __str__(self) -> str:
        return f"export {str(self.public_id)[:8]}"

    @property
    def is_whole(self) -> bool:
        """Whether it is of all events of the log."""
        return not self.filters
