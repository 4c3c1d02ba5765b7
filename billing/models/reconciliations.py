"""What was recorded here, held against what a provider says."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

MOST_BASIS_POINTS = 10_000
MOST_DAYS = 400


class Reconciliation(models.Model):
    """One comparison with a provider's export, over some days of UTC. It stays as it was found."""

    class Format(models.TextChoices):
        OPENAI_USAGE = "openai_usage", "OpenAI, usage (activity) export"
        OPENAI_COSTS = "openai_costs", "OpenAI, cost export"
        GENERIC = "generic", "Columns date, model, requests, input_tokens, cached_tokens, output_tokens, cost"

    provider = models.SlugField(max_length=50)
    format = models.CharField(max_length=16, choices=Format)
    starts_on = models.DateField("first day (UTC)")
    ends_on = models.DateField("last day (UTC)")
    tolerance_bp = models.PositiveIntegerField(
        "tolerance, hundredths of a per cent", default=50, help_text="100 is one per cent."
    )
    file_name = models.CharField(max_length=200)
    file_sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField(help_text="Of the file, without its header.")
    ignored_rows = models.PositiveIntegerField(default=0, help_text="Of days outside the span.")
    ours_nano = models.BigIntegerField()
    theirs_nano = models.BigIntegerField(null=True, blank=True)
    differing = models.PositiveIntegerField(help_text="Lines beyond the tolerance, or of one side only.")
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(name="reconciliation_ends_after_start", condition=Q(ends_on__gte=F("starts_on"))),
            models.CheckConstraint(
                name="reconciliation_tolerance_is_a_share", condition=Q(tolerance_bp__lte=MOST_BASIS_POINTS)
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider}, {self.starts_on:%Y-%m-%d} to {self.ends_on:%Y-%m-%d}"

    def clean(self) -> None:
        """Refuses a span that makes no sense.

        Raises:
            ValidationError: which day to change.
        """
        if None in (self.starts_on, self.ends_on):  # a form whose fields were refused
            return
        days = (self.ends_on - self.starts_on).days + 1
        if days < 1:
            raise ValidationError({"ends_on": "It lies before the first day."})
        if days > MOST_DAYS:
            raise ValidationError({"ends_on": f"Compare at most {MOST_DAYS} days at a time."})


class ReconciliationLine(models.Model):
    """A day and a model. None stands for what a side does not say."""

    class Side(models.TextChoices):
        BOTH = "both", "On both sides"
        OURS = "ours", "Only here"
        THEIRS = "theirs", "Only at the provider"

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="lines")
    day = models.DateField()
    model = models.CharField(max_length=200, blank=True, help_text="At the provider; empty: all models together.")
    side = models.CharField(max_length=8, choices=Side)
    is_within = models.BooleanField("within tolerance")
    ours_requests = models.BigIntegerField(null=True)
    theirs_requests = models.BigIntegerField(null=True)
    ours_input_tokens = models.BigIntegerField(null=True)
    theirs_input_tokens = models.BigIntegerField(null=True)
    ours_cached_tokens = models.BigIntegerField(null=True)
    theirs_cached_tokens = models.BigIntegerField(null=True)
    ours_output_tokens = models.BigIntegerField(null=True)
    theirs_output_tokens = models.BigIntegerField(null=True)
    ours_nano = models.BigIntegerField(null=True)
    theirs_nano = models.BigIntegerField(null=True)

    class Meta:
        ordering = ("reconciliation", "day", "model")
        constraints = (
            models.UniqueConstraint(fields=("reconciliation", "day", "model"), name="reconciliation_line_once"),
        )

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.model}"
