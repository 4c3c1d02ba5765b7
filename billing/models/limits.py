"""Limits of a tier beyond those that every tier has: of each application, key and end user, and of token kinds."""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from billing.models.tiers import Tier


class TierLimit(models.Model):
    """So much of `measure` in a minute, an hour or a day, for the tenant, or for each of its applications, keys, end
    users. Rates are bursts that refill evenly, as those of the tier itself."""

    class Scope(models.TextChoices):
        TENANT = "tenant", "The tenant as a whole"
        APPLICATION = "application", "Each application"
        API_KEY = "key", "Each key"
        END_USER = "end_user", "Each end user"

    class Measure(models.TextChoices):
        REQUESTS = "requests", "Requests"
        TOKENS = "tokens", "Tokens, input and output together"
        INPUT_TOKENS = "input_tokens", "Input tokens"
        OUTPUT_TOKENS = "output_tokens", "Output tokens"
        CONCURRENCY = "concurrency", "Requests at once"

    class Per(models.TextChoices):
        MINUTE = "minute", "per minute"
        HOUR = "hour", "per hour"
        DAY = "day", "per day"

    tier = models.ForeignKey(Tier, on_delete=models.CASCADE, related_name="limits")
    scope = models.CharField(max_length=16, choices=Scope)
    measure = models.CharField(max_length=16, choices=Measure)
    per = models.CharField(max_length=8, choices=Per, blank=True, help_text="Empty for requests at once.")
    limit = models.PositiveBigIntegerField(validators=[MinValueValidator(1)])

    class Meta:
        ordering = ("scope", "measure", "per")
        constraints = (
            models.UniqueConstraint(
                fields=("tier", "scope", "measure", "per"),
                name="tier_limit_once",
                violation_error_message="The tier has this limit already.",
            ),
            models.CheckConstraint(name="tier_limit_positive", condition=Q(limit__gt=0)),
            models.CheckConstraint(
                name="tier_limit_rate_has_window",
                condition=Q(measure="concurrency", per="") | (~Q(measure="concurrency") & ~Q(per="")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.limit:,} {self.words}"

    @property
    def words(self) -> str:
        """Such as `input tokens per minute`, `requests at once`."""
        if self.measure == TierLimit.Measure.CONCURRENCY:
            return "requests at once"
        return f"{self.measure.replace('_', ' ')} per {self.per}"

    def clean(self) -> None:
        """Refuses a window where there is none, none where one is needed, and what the tier itself says.

        Raises:
            ValidationError: by field, what to do.
        """
        if self.measure == TierLimit.Measure.CONCURRENCY and self.per:
            raise ValidationError({"per": "Requests at once have no window; leave it empty."})
        if self.measure != TierLimit.Measure.CONCURRENCY and not self.per:
            raise ValidationError({"per": "Choose the window of this rate."})
        of_tier = f"{self.measure}_per_{self.per}" if self.per else self.measure
        if self.scope == TierLimit.Scope.TENANT and any(field.name == of_tier for field in Tier._meta.fields):
            raise ValidationError({"measure": f"Set it above: every tier has '{of_tier.replace('_', ' ')}'."})
