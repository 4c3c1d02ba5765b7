"""What a tenant may do per minute, hour and day, and how much at once."""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from accounts.models import Tenant

AT_LEAST_ONE = [MinValueValidator(1)]


class Tier(models.Model):
    """A named set of limits. Rates are bursts that refill evenly: N a minute is N at once, then one each 60/N s."""

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    requests_per_minute = models.PositiveBigIntegerField(validators=AT_LEAST_ONE)
    requests_per_hour = models.PositiveBigIntegerField(validators=AT_LEAST_ONE)
    requests_per_day = models.PositiveBigIntegerField(validators=AT_LEAST_ONE)
    tokens_per_minute = models.PositiveBigIntegerField(validators=AT_LEAST_ONE, help_text="Input and output together.")
    concurrency = models.PositiveIntegerField(validators=AT_LEAST_ONE, help_text="Requests in flight at once.")
    output_tokens_cap = models.PositiveIntegerField(
        validators=AT_LEAST_ONE, help_text="The most output tokens one request may ask for, and gets if it names none."
    )
    separate_meters_most = models.PositiveIntegerField(
        "end users and tag values counted separately",
        default=10_000,
        help_text="At most, at once. Those beyond it share one limit per budget.",
    )
    max_messages = models.PositiveIntegerField(default=100, validators=AT_LEAST_ONE)
    max_message_chars = models.PositiveIntegerField(default=50_000, validators=AT_LEAST_ONE)
    max_prompt_chars = models.PositiveIntegerField(default=100_000, validators=AT_LEAST_ONE)

    class Meta:
        ordering = ("requests_per_minute", "slug")
        constraints = (
            models.CheckConstraint(
                name="tier_limits_positive",
                condition=models.Q(
                    requests_per_minute__gt=0,
                    requests_per_hour__gt=0,
                    requests_per_day__gt=0,
                    tokens_per_minute__gt=0,
                    concurrency__gt=0,
                    output_tokens_cap__gt=0,
                ),
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuses limits that another limit makes pointless."""
        errors = {}
        if _all(self.output_tokens_cap, self.tokens_per_minute) and self.output_tokens_cap >= self.tokens_per_minute:
            errors["output_tokens_cap"] = (
                f"Choose less than the {self.tokens_per_minute:,} tokens a minute, or raise those: a request that "
                "names no limit is counted with its prompt and this many tokens, and none would ever fit."
            )
        for shorter, longer, name in (
            ("requests_per_minute", "requests_per_hour", "an hour"),
            ("requests_per_hour", "requests_per_day", "a day"),
        ):
            short, long = getattr(self, shorter), getattr(self, longer)
            if _all(short, long) and short > long:
                errors[shorter] = f"Choose at most the {long:,} {name}, or raise those."
        if errors:
            raise ValidationError(errors)


def _all(*limits: int | None) -> bool:
    """Whether each has been given: a form whose fields were refused leaves None."""
    return None not in limits


class Subscription(models.Model):
    """The tier of a tenant. A tenant without one is served nothing."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="subscription")
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="subscriptions")
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.tenant}: {self.tier}"
