"""What takes long: how far it is, and how it ended."""

from django.db import models
from django.db.models import Q


class JobRun(models.Model):
    """One run of a long job. Of one kind and key, one runs at a time."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    kind = models.CharField(max_length=50)
    key = models.CharField(max_length=100, blank=True, help_text="What it is about, e.g. a tenant's number.")
    tenant_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    step = models.CharField(max_length=100, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    process = models.CharField(max_length=200, blank=True, help_text="Where it runs: machine, process and its start.")
    started_by = models.CharField(max_length=120)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(auto_now_add=True, help_text="When it last told how far it is.")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("kind", "key"), name="job_one_at_a_time", condition=Q(state="running")),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.key}".strip()
