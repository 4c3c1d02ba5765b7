"""What was removed because its time was over."""

from django.db import models


class PurgeRun(models.Model):
    """One run that removed what was due, as its plan had said, with a signed report."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped: something changed"
        FAILED = "failed", "Failed"

    as_of = models.DateField(help_text="The day (UTC) that it counted from.")
    plan_hash = models.CharField(max_length=64)
    plan = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    removed = models.JSONField(default=dict, help_text="Rows by store and tenant, as far as it got.")
    removed_rows = models.BigIntegerField(default=0)
    kept_rows = models.BigIntegerField(default=0, help_text="Due, but kept by a legal hold.")
    report = models.JSONField(null=True, help_text="Signed.")
    error = models.TextField(blank=True)
    started_by = models.CharField(max_length=120)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Purge of {self.as_of}"
