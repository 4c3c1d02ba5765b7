"""What an upstream's model costs, from when on."""

from datetime import datetime
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

NOT_NEGATIVE = [MinValueValidator(0)]


def _further_field(label: str, *, help_text: str) -> "models.BigIntegerField[int | None, int | None]":
    return models.BigIntegerField(
        f"{label}, nano-dollars", validators=NOT_NEGATIVE, null=True, blank=True, help_text=help_text
    )


def _nano_field(label: str) -> "models.BigIntegerField[int, int]":
    return models.BigIntegerField(f"{label}, nano-dollars per million tokens", validators=NOT_NEGATIVE, default=0)


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self, *, at: datetime) -> "PriceQuerySet":
        """For each provider, model and service tier the newest price that holds at `at`."""
        current = self.filter(valid_from__lte=at).order_by("provider", "model", "service_tier", "-valid_from", "-id")
        return current.distinct("provider", "model", "service_tier")


class Price(models.Model):
    """Holds from `valid_from` until a later row for the same provider, model and service tier. No price, no service."""

    provider = models.SlugField(max_length=50, help_text="The provider's slug.")
    model = models.CharField(max_length=200, help_text="The model's name at the provider.")
    service_tier = models.CharField(
        max_length=20,
        blank=True,
        help_text="Such as flex or priority; empty for the default. A service tier without a price is refused.",
    )
    valid_from = models.DateTimeField(default=timezone.now)
    input_nano = _nano_field("input")
    cached_input_nano = _nano_field("cached input")
    cache_write_nano = _nano_field("cache write")
    output_nano = _nano_field("output")
    reasoning_nano = _further_field(
        "reasoning", help_text="Per million tokens of hidden reasoning; empty: as other output."
    )
    search_nano = _further_field(
        "web search", help_text="Per request with web_search_options; empty: such requests are refused."
    )
    request_nano = models.BigIntegerField("per request, nano-dollars", validators=NOT_NEGATIVE, default=0)
    source = models.CharField(max_length=50, default="manual", editable=False)

    objects: ClassVar[models.Manager["Price"]] = PriceQuerySet.as_manager()

    class Meta:
        ordering = ("provider", "model", "-valid_from")
        constraints = (
            models.UniqueConstraint(fields=("provider", "model", "service_tier", "valid_from"), name="price_once"),
            models.CheckConstraint(
                name="price_not_negative",
                condition=models.Q(
                    input_nano__gte=0,
                    cached_input_nano__gte=0,
                    cache_write_nano__gte=0,
                    output_nano__gte=0,
                    request_nano__gte=0,
                )
                & (models.Q(reasoning_nano__isnull=True) | models.Q(reasoning_nano__gte=0))
                & (models.Q(search_nano__isnull=True) | models.Q(search_nano__gte=0)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" + (f" ({self.service_tier})" if self.service_tier else "")
