"""What happens too often to be put on record one by one, counted by minute until that minute is over."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class AuditTally(models.Model):
    """How often the same happened within a minute (UTC). Becomes one audit event, and is gone then."""

    minute = models.DateTimeField()
    action = models.CharField(max_length=100)
    tenant_id = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=100)
    target_kind = models.CharField(max_length=50)
    target_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=16)
    reason = models.CharField(max_length=100, blank=True)
    place = models.CharField(max_length=50, blank=True, help_text="Where: /v1, /api, /admin.")
    count = models.BigIntegerField()
    seen = ArrayField(
        models.CharField(max_length=100), default=list, help_text="Up to ten that differ, of what varies."
    )
    request_id = models.CharField(max_length=64, blank=True, help_text="Of the first.")

    objects: ClassVar[models.Manager["AuditTally"]]

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=(
                    *("minute", "action", "tenant_id", "actor_kind", "actor_id"),
                    *("target_kind", "target_id", "outcome", "reason", "place"),
                ),
                name="audit_tally_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(name="audit_tally_counts", condition=models.Q(count__gt=0)),
        )

    def __str__(self) -> str:
        return f"{self.count} × {self.action} {self.target_kind} {self.target_id}"
