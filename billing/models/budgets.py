"""How much a tenant, one of its applications, or one key may cost in a period."""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from accounts.models import ApiKey, Application, Tenant


class Budget(models.Model):
    """A limit of cost. Narrowed to an application or a key when one is named; every matching budget must hold."""

    class Period(models.TextChoices):
        DAY = "day", "Day"
        WEEK = "week", "Week (Monday to Sunday)"
        MONTH = "month", "Month"
        TOTAL = "total", "Total, never starts anew"

    class Mode(models.TextChoices):
        HARD = "hard", "Hard: refuse what would exceed it"
        SOFT = "soft", "Soft: count, never refuse"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="budgets")
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets", verbose_name="API key"
    )
    name = models.CharField(max_length=100)
    period = models.CharField(max_length=8, choices=Period, default=Period.MONTH)
    mode = models.CharField(max_length=8, choices=Mode, default=Mode.HARD)
    limit_nano = models.BigIntegerField("limit, nano-dollars", validators=[MinValueValidator(0)])
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("tenant", "name")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="budget_name_once"),
            models.CheckConstraint(name="budget_limit_not_negative", condition=models.Q(limit_nano__gte=0)),
            models.CheckConstraint(
                name="budget_one_scope",
                condition=models.Q(application__isnull=True) | models.Q(api_key__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.tenant.slug}: {self.name}"

    def clean(self) -> None:
        """Refuses an application or key of another tenant, which no constraint of the database can see."""
        for name, owned in (("application", self.application), ("api_key", self.api_key)):
            if owned is not None and owned.tenant_id != self.tenant_id:
                raise ValidationError({name: "It belongs to another tenant."})

    @property
    def meter_name(self) -> str:
        """The name of this budget's meter in the ledger. A changed period is another meter, which starts at zero."""
        return f"budget/{self.pk}/{self.period}"
