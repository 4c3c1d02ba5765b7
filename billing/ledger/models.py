"""Read-only views of the ledger's tables. Only the functions in `sql/` write them."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Meter(models.Model):
    """What has been used, and is held, of one limit in its current period."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.BigIntegerField()
    name = models.TextField()
    used = models.BigIntegerField()
    held = models.BigIntegerField()
    tat_ns = models.BigIntegerField()
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()

    objects: ClassVar[models.Manager["Meter"]]

    class Meta:
        managed = False
        db_table = "meter"

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.name}"


class Hold(models.Model):
    """What an admitted request may still cost."""

    request_id = models.UUIDField(primary_key=True)
    tenant_id = models.BigIntegerField()
    cost_nano = models.BigIntegerField()
    tokens = models.BigIntegerField()
    admitted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    meter_ids = ArrayField(models.BigIntegerField())
    kinds = ArrayField(models.SmallIntegerField())
    marks = ArrayField(models.BigIntegerField())
    context = models.JSONField()

    class Meta:
        managed = False
        db_table = "hold"

    def __str__(self) -> str:
        return str(self.request_id)


class OutboxEntry(models.Model):
    """A usage record on its way to the main database."""

    seq = models.BigAutoField(primary_key=True)
    record = models.JSONField()

    class Meta:
        managed = False
        db_table = "usage_outbox"

    def __str__(self) -> str:
        return str(self.seq)
