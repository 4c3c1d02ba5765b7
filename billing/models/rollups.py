"""What usage records add up to, and what is kept of those that retention has dropped. Made by `sql/rollups.sql`.

Numbers of rows that a request did not have are 0 here, so that they can be part of a primary key.
"""

from typing import ClassVar

from django.db import models


class Sums(models.Model):
    requests = models.BigIntegerField()
    refused = models.BigIntegerField()
    failed = models.BigIntegerField(help_text="Upstream failed or cut the answer, failed here, or process lost.")
    input_tokens = models.BigIntegerField()
    cached_input_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    cost_nano = models.BigIntegerField()
    estimated_nano = models.BigIntegerField(help_text="The part of the cost whose tokens were counted here.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.requests:,} requests"


class UsageHour(Sums):
    """The requests of an hour that agree in everything below it."""

    pk = models.CompositePrimaryKey(
        "tenant_id", "hour", "application_id", "api_key_id", "environment", "model", "provider", "upstream_model"
    )
    tenant_id = models.BigIntegerField()
    hour = models.DateTimeField(help_text="Its beginning; a quarter's where the tenant's days begin within hours.")
    application_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    environment = models.CharField(max_length=16)
    model = models.CharField(max_length=200)
    provider = models.CharField(max_length=50)
    upstream_model = models.CharField(max_length=200)

    objects: ClassVar[models.Manager["UsageHour"]]

    class Meta:
        managed = False
        db_table = "billing_usagehour"


class UsageDay(Sums):
    """The same of a day of UTC."""

    pk = models.CompositePrimaryKey(
        "tenant_id", "day", "application_id", "api_key_id", "environment", "model", "provider", "upstream_model"
    )
    tenant_id = models.BigIntegerField()
    day = models.DateField()
    application_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    environment = models.CharField(max_length=16)
    model = models.CharField(max_length=200)
    provider = models.CharField(max_length=50)
    upstream_model = models.CharField(max_length=200)

    objects: ClassVar[models.Manager["UsageDay"]]

    class Meta:
        managed = False
        db_table = "billing_usageday"


class UsageValue(Sums):
    """The requests of one end user, tag value or error code on a day of the tenant's own zone."""

    class Kind(models.TextChoices):
        END_USER = "end_user", "End user"
        TAG = "tag", "Tag"
        CODE = "code", "Error code"

    OTHERS = "(others)"
    """The value of the line of everything that found no line of its own."""

    pk = models.CompositePrimaryKey("tenant_id", "kind", "tag", "day", "application_id", "value")
    tenant_id = models.BigIntegerField()
    kind = models.CharField(max_length=8, choices=Kind)
    tag = models.CharField(max_length=64)
    day = models.DateField()
    application_id = models.BigIntegerField()
    value = models.CharField(max_length=64)

    objects: ClassVar[models.Manager["UsageValue"]]

    class Meta:
        managed = False
        db_table = "billing_usagevalue"


class UsageLatency(models.Model):
    """How many answers of a tenant on a day of UTC took how long; `billing/latency.py` has the bounds of buckets."""

    pk = models.CompositePrimaryKey("tenant_id", "day", "bucket")
    tenant_id = models.BigIntegerField()
    day = models.DateField()
    bucket = models.SmallIntegerField()
    answered = models.BigIntegerField()

    objects: ClassVar[models.Manager["UsageLatency"]]

    class Meta:
        managed = False
        db_table = "billing_usagelatency"

    def __str__(self) -> str:
        return f"{self.answered:,} answers"


class MeterBalance(models.Model):
    """What the records of one month that is dropped charged to one meter of the ledger."""

    pk = models.CompositePrimaryKey("meter_id", "before")
    meter_id = models.BigIntegerField(help_text="As in UsageRecord.charged.")
    before = models.DateField(help_text="The first day (UTC) after the month.")
    cost_nano = models.BigIntegerField()

    objects: ClassVar[models.Manager["MeterBalance"]]

    class Meta:
        managed = False
        db_table = "billing_meterbalance"

    def __str__(self) -> str:
        return f"meter {self.meter_id}, before {self.before}"


class DroppedMonth(models.Model):
    """A month (UTC) whose usage records retention has dropped; its rollups stay, and cannot be rebuilt."""

    month = models.DateField(primary_key=True, help_text="Its first day.")
    requests = models.BigIntegerField()
    cost_nano = models.BigIntegerField()
    dropped_at = models.DateTimeField()

    objects: ClassVar[models.Manager["DroppedMonth"]]

    class Meta:
        managed = False
        db_table = "billing_droppedmonth"

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
