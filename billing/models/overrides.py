"""Another limit for a while: more for a launch, less for an incident."""

from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from billing.models.budgets import Budget


class BudgetOverride(models.Model):
    """Replaces a budget's limit between two moments. Of several that overlap, the one that began last holds."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="overrides")
    limit_nano = models.BigIntegerField("limit, nano-dollars", validators=[MinValueValidator(0)])
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(help_text="From then on the budget's own limit holds again.")
    reason = models.CharField(max_length=500, validators=[MinLengthValidator(3)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-starts_at", "-id")
        constraints = (
            models.CheckConstraint(name="override_limit_not_negative", condition=Q(limit_nano__gte=0)),
            models.CheckConstraint(name="override_ends_after_start", condition=Q(ends_at__gt=F("starts_at"))),
            models.CheckConstraint(name="override_has_reason", condition=~Q(reason="")),
        )

    def __str__(self) -> str:
        return f"{self.budget} until {self.ends_at:%Y-%m-%d %H:%M}"

    def clean(self) -> None:
        """Refuses what would never hold.

        Raises:
            ValidationError: by field, what to choose instead.
        """
        begins, ends = self.starts_at, self.ends_at
        if not (begins and ends):
            return  # each field says so by itself
        if ends <= begins:
            raise ValidationError({"ends_at": "Choose a time after it begins."})
        if self._state.adding and ends <= timezone.now():
            raise ValidationError({"ends_at": "Choose a time that is still to come."})

    @property
    def tenant_id(self) -> int:
        return self.budget.tenant_id
