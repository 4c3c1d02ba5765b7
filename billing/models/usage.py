"""What every request used and how it ended: the record that reports, invoices and decisions are read from."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Outcome(models.TextChoices):
    COMPLETED = "completed", "Completed"
    CLIENT_LEFT = "client_left", "Client left"
    CUT = "cut", "Upstream cut the answer"
    UPSTREAM_ERROR = "upstream_error", "Upstream failed"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed here"
    BLOCKED = "blocked", "Blocked by a guard"
    OVER_BUDGET = "over_budget", "Ended by a budget"
    SWEPT = "swept", "Process lost, charged at its hold"


class UsageRecord(models.Model):
    """One request, or several alike refusals of one second. The table is partitioned by the month of `at`.

    Plain numbers instead of foreign keys: a record stays true whatever happens to what it names.
    """

    request_id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(help_text="When it was admitted or refused; its budget periods are those of this time.")
    tenant_id = models.BigIntegerField()
    application_id = models.BigIntegerField(null=True)
    api_key_id = models.BigIntegerField(null=True)
    environment = models.CharField(max_length=16, blank=True)
    model = models.CharField(max_length=200, blank=True, help_text="As the client named it.")
    served_model = models.CharField(
        max_length=200, blank=True, help_text="The model that answered instead, where a budget downgraded the request."
    )
    end_user = models.CharField(max_length=27, blank=True, help_text="A surrogate; see compliance.Subject.")
    tags = models.JSONField(default=dict, help_text="The declared attribution tags of the request.")
    service_tier = models.CharField(max_length=20, blank=True)
    provider = models.CharField(max_length=50, blank=True)
    upstream_model = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome)
    code = models.CharField(max_length=50, blank=True, help_text="Of the error, where there was one.")
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status of the answer.")
    streamed = models.BooleanField(default=False)
    requests = models.PositiveIntegerField(
        default=1, help_text="More than one for refusals that were counted together."
    )
    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    estimated = models.BooleanField(default=False, help_text="Tokens were counted here, not reported upstream.")
    over_budget = models.BooleanField(default=False, help_text="A soft budget was exceeded when it was admitted.")
    charged = ArrayField(
        models.BigIntegerField(), default=list, help_text="The ledger's ids of the budget meters it was charged to."
    )
    latency_ms = models.IntegerField(null=True)
    first_token_ms = models.IntegerField(null=True)
    overhead_us = models.IntegerField(null=True, help_text="Time spent here rather than upstream.")

    objects: ClassVar[models.Manager["UsageRecord"]]

    class Meta:
        managed = False
        db_table = "billing_usagerecord"
        ordering = ("-at",)
        verbose_name = "usage record"

    def __str__(self) -> str:
        return str(self.request_id)
