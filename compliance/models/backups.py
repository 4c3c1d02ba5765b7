"""Backups that were made, and drills that tried to restore them."""

from typing import ClassVar

from django.db import models


class BackupRun(models.Model):
    """One part of a backup: the data, or the keys. What lies in its place is the truth; this is its history."""

    audit_secret_fields = frozenset({"canary", "erased_canary"})

    class Part(models.TextChoices):
        DATA = "data", "Data"
        KEYS = "keys", "Keys"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Good"
        FAILED = "failed", "Failed"
        REMOVED = "removed", "Removed when due"
        MISSING = "missing", "Missing"

    label = models.CharField(max_length=40, help_text="Its name: when it began (UTC), and a random end.")
    part = models.CharField(max_length=8, choices=Part)
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    place = models.CharField(max_length=500, help_text="The folder or bucket that it lies in.")
    bytes = models.BigIntegerField(default=0, help_text="Encrypted, of all its files.")
    manifest = models.JSONField(null=True, help_text="Signed.")
    error = models.TextField(blank=True)
    canary = models.BinaryField(null=True, editable=False, help_text="Must open after a restore.")
    erased_canary = models.BinaryField(null=True, editable=False, help_text="Must not, once its key is destroyed.")
    started_by = models.CharField(max_length=120)
    started_at = models.DateTimeField(auto_now_add=True)
    made_at = models.DateTimeField(null=True, help_text="When its snapshot was taken.")
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["BackupRun"]]

    class Meta:
        ordering = ("-id",)
        verbose_name = "backup"
        constraints = (models.UniqueConstraint(fields=("label", "part"), name="backup_part_once"),)

    def __str__(self) -> str:
        return f"{self.get_part_display()} of {self.label}"


class RestoreDrill(models.Model):
    """One try to restore the newest backup into scratch databases, and what was found there."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    data_label = models.CharField(max_length=40, blank=True, help_text="The backup of the data.")
    keys_label = models.CharField(max_length=40, blank=True, help_text="The backup of the keys.")
    checks = models.JSONField(default=list, help_text="What was checked, in order, and how it ended.")
    problem = models.TextField(blank=True, help_text="Why it failed.")
    rto_s = models.PositiveIntegerField(null=True, help_text="Seconds until the restored databases could be opened.")
    rpo_s = models.BigIntegerField(null=True, help_text="Seconds by which the backup was older than the drill.")
    restored_bytes = models.BigIntegerField(default=0)
    started_by = models.CharField(max_length=120)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["RestoreDrill"]]

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Drill of {self.started_at:%Y-%m-%d %H:%M} UTC"
