"""What an upstream's model costs, from when on."""

from datetime import datetime
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

NOT_NEGATIVE = [MinValueValidator(0)]


def _nano_field(label: str) -> "models.BigIntegerField[int, int]":
    return models.BigIntegerField(f"{label}, nano-dollars per million tokens", validators=NOT_NEGATIVE, default=0)


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self, *, at: datetime) -> "PriceQuerySet":
        """For each provider and model the newest price that holds at `at`."""
        current = self.filter(valid_from__lte=at).order_by("provider", "model", "-valid_from", "-id")
        return current.distinct("provider", "model")


class Price(models.Model):
    """Holds from `valid_from` until a later row for the same provider and model. No price, no service."""

    provider = models.SlugField(max_length=50, help_text="The provider's slug.")
    model = models.CharField(max_length=200, help_text="The model's name at the provider.")
    valid_from = models.DateTimeField(default=timezone.now)
    input_nano = _nano_field("input")
    cached_input_nano = _nano_field("cached input")
    cache_write_nano = _nano_field("cache write")
    output_nano = _nano_field("output")
    request_nano = models.BigIntegerField("per request, nano-dollars", validators=NOT_NEGATIVE, default=0)
    source = models.CharField(max_length=50, default="manual", editable=False)

    objects: ClassVar[models.Manager["Price"]] = PriceQuerySet.as_manager()

    class Meta:
        ordering = ("provider", "model", "-valid_from")
        constraints = (
            models.UniqueConstraint(fields=("provider", "model", "valid_from"), name="price_once"),
            models.CheckConstraint(
                name="price_not_negative",
                condition=models.Q(
                    input_nano__gte=0,
                    cached_input_nano__gte=0,
                    cache_write_nano__gte=0,
                    output_nano__gte=0,
                    request_nano__gte=0,
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"
