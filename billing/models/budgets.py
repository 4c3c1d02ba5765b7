"""How much of a tenant's requests may cost in a period."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import ApiKey, Application, Tenant
from accounts.tokens import ENVIRONMENTS


class Budget(models.Model):
    """A limit of cost for the requests that it matches: all of its tenant's, narrowed by each field that is filled.

    Every matching budget must hold. With `each` it is one limit for each end user, tag value, and so on: one meter for
    each, made when it is first used.
    """

    class Period(models.TextChoices):
        DAY = "day", "Day"
        WEEK = "week", "Week (Monday to Sunday)"
        MONTH = "month", "Month"
        DATES = "dates", "Fixed dates"
        TOTAL = "total", "Total, never starts anew"

    class Mode(models.TextChoices):
        HARD = "hard", "Hard: refuse what would exceed it"
        SOFT = "soft", "Soft: count and flag, never refuse"
        DOWNGRADE = "downgrade", "Downgrade: answer with a cheaper model"

    class Each(models.TextChoices):
        APPLICATION = "application", "for each application"
        ENVIRONMENT = "environment", "for each environment"
        API_KEY = "api_key", "for each key"
        END_USER = "end_user", "for each end user"
        MODEL = "model", "for each model"
        TAG = "tag", "for each value of the tag"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="budgets")
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets", verbose_name="API key"
    )
    environment = models.CharField(
        max_length=16, choices=[(name, name.capitalize()) for name in ENVIRONMENTS], blank=True
    )
    model = models.CharField(max_length=100, blank=True, help_text="A model's name, as clients ask for it.")
    end_user = models.CharField(
        max_length=27,
        blank=True,
        verbose_name="end user",
        help_text="As the application names the person in safety_identifier or user; kept as a surrogate.",
    )
    tag = models.CharField(max_length=64, blank=True, help_text="A metadata key that the tenant has declared.")
    tag_value = models.CharField(max_length=64, blank=True)
    each = models.CharField(
        max_length=16,
        choices=Each,
        blank=True,
        verbose_name="one limit",
        help_text="Empty: one limit for all matching requests together.",
    )
    name = models.CharField(max_length=100)
    period = models.CharField(max_length=8, choices=Period, default=Period.MONTH)
    starts_on = models.DateField(null=True, blank=True, help_text="Of fixed dates: the first day.")
    ends_on = models.DateField(null=True, blank=True, help_text="Of fixed dates: the last day.")
    mode = models.CharField(max_length=16, choices=Mode, default=Mode.HARD)
    downgrade_to = models.CharField(
        max_length=100, blank=True, help_text="The model that answers instead once this budget is used up."
    )
    limit_nano = models.BigIntegerField("limit, nano-dollars", validators=[MinValueValidator(0)])
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("tenant", "name")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="budget_name_once"),
            models.CheckConstraint(name="budget_limit_not_negative", condition=Q(limit_nano__gte=0)),
            models.CheckConstraint(
                name="budget_one_scope",
                condition=Q(application__isnull=True) | Q(api_key__isnull=True),
            ),
            models.CheckConstraint(
                name="budget_dates_when_fixed",
                condition=Q(period="dates", starts_on__isnull=False, ends_on__gte=models.F("starts_on"))
                | (~Q(period="dates") & Q(starts_on__isnull=True, ends_on__isnull=True)),
            ),
            models.CheckConstraint(
                name="budget_downgrade_names_model",
                condition=(Q(mode="downgrade") & ~Q(downgrade_to="")) | (~Q(mode="downgrade") & Q(downgrade_to="")),
            ),
            models.CheckConstraint(
                name="budget_tag_value_of_a_tag",
                condition=Q(tag="", tag_value="") & ~Q(each="tag")
                | ~Q(tag="") & (~Q(tag_value="") & ~Q(each="tag") | Q(tag_value="", each="tag")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.tenant.slug}: {self.name}"

    def clean(self) -> None:
        """Refuses what no constraint of the database can see or say well.

        Raises:
            ValidationError: by field, what to choose instead.
        """
        errors: dict[str, str] = {}
        for name, owned in (("application", self.application), ("api_key", self.api_key)):
            if owned is not None and owned.tenant_id != self.tenant_id:
                errors[name] = "It belongs to another tenant."
        if self.application is not None and self.api_key is not None:
            errors["application"] = "A key belongs to one application; leave this empty, or choose no key."
        errors |= _dates_missing(self) if self.period == Budget.Period.DATES else _dates_unused(self)
        if self.mode == Budget.Mode.DOWNGRADE and not self.downgrade_to:
            errors["downgrade_to"] = "Name the cheaper model."
        if self.downgrade_to and self.downgrade_to == self.model:
            errors["downgrade_to"] = "Name another model than the one that it is a budget of."
        if self.mode != Budget.Mode.DOWNGRADE and self.downgrade_to:
            errors["downgrade_to"] = "Only a budget that downgrades names a model here."
        errors |= _tag_errors(self) or _undeclared(self)
        if errors:
            raise ValidationError(errors)

    @property
    def meter_name(self) -> str:
        """The name of this budget's meter in the ledger; with `each`, what the names of its meters begin with.

        A changed period, or first day, is another meter, which starts at zero.
        """
        start = f"/{self.starts_on:%Y-%m-%d}" if self.period == Budget.Period.DATES else ""
        return f"budget/{self.pk}/{self.period}{start}"

    @property
    def ledger_period(self) -> str:
        """The period as `period_bounds` of the ledger takes it; the end of fixed dates is exclusive there."""
        if self.period != Budget.Period.DATES or self.starts_on is None or self.ends_on is None:
            return str(self.period)
        return f"dates/{self.starts_on:%Y-%m-%d}/{self.ends_on + timedelta(days=1):%Y-%m-%d}"


def _dates_missing(budget: Budget) -> dict[str, str]:
    missing = {name: "Give the day." for name in ("starts_on", "ends_on") if getattr(budget, name) is None}
    if not missing and budget.starts_on and budget.ends_on and budget.ends_on < budget.starts_on:
        return {"ends_on": "It lies before the first day."}
    return missing


def _dates_unused(budget: Budget) -> dict[str, str]:
    given = [name for name in ("starts_on", "ends_on") if getattr(budget, name) is not None]
    return dict.fromkeys(given, "Only a budget with fixed dates has this.")


def _tag_errors(budget: Budget) -> dict[str, str]:
    by_value = budget.each == Budget.Each.TAG
    if by_value and not budget.tag:
        return {"tag": "Name the tag whose values have a limit each."}
    if budget.tag_value and not budget.tag:
        return {"tag": "Name the tag that has this value."}
    if budget.tag and by_value and budget.tag_value:
        return {"tag_value": "Leave it empty: each value has a limit of its own."}
    if budget.tag and not by_value and not budget.tag_value:
        return {"tag_value": "Name the value, or choose one limit for each value of the tag."}
    return {}


def _undeclared(budget: Budget) -> dict[str, str]:
    """Nothing would ever be charged to a budget of a tag that is not recorded."""
    declared = Tenant.objects.filter(pk=budget.tenant_id, attribution_tags__key=budget.tag)
    if not budget.tag or declared.exists():
        return {}
    return {"tag": f"The tenant has not declared {budget.tag}; declare it among its attribution tags first."}
