"""The audit log's table. Rows are only ever added; the database refuses everything else."""

from django.db import models
from django.db.models.functions import Now


class AuditEvent(models.Model):
    """One thing that someone did. Owns nothing and refers by plain values, so nothing it names can pull it along."""

    occurred_at = models.DateTimeField(db_default=Now())
    tenant_id = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=100)
    action = models.CharField(max_length=100, help_text="What was done, as object.verb.")
    target_kind = models.CharField(max_length=50)
    target_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=16, default="success")
    reason = models.TextField(blank=True)
    before = models.JSONField(default=dict, help_text="The changed fields as they were.")
    after = models.JSONField(default=dict, help_text="The changed fields as they became.")
    request_id = models.CharField(max_length=64, blank=True)
    ip = models.GenericIPAddressField(null=True, unpack_ipv4=True)
    user_agent = models.CharField(max_length=300, blank=True)
    version = models.PositiveSmallIntegerField(default=1, help_text="Of this row's shape.")

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("tenant_id", "-id"), name="audit_tenant"),
            models.Index(fields=("target_kind", "target_id", "-id"), name="audit_target"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_id}"
