"""What one look at the alert rules sees: each thing is read once, for all of the rules that ask for it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cached_property

from accounts.models import Tenant
from billing import outlook, readings
from billing.models import AlertKind, AlertRule, Budget
from billing.outlook import Compared, Running
from billing.readings import WORTH_A_LOOK, BudgetNow, Reading


class Sight:
    """The readings for `rules`, about `tenants`, at one time."""

    def __init__(self, rules: Sequence[AlertRule], tenants: Collection[Tenant], *, at: datetime) -> None:
        self._at = at
        self._tenants = sorted(tenants, key=lambda tenant: tenant.pk)
        self._least = min([WORTH_A_LOOK, *(level for rule in rules for level in rule.levels)])

    def of(self, rule: AlertRule, tenants: Collection[int]) -> list[Reading]:
        """What the rule is held against, of those tenants (by primary key)."""
        match AlertKind(rule.kind):
            case AlertKind.BUDGET:
                seen = [meter.reading(value=meter.used_nano, base=meter.limit_nano) for meter in self._budgets]
            case AlertKind.SOFT:
                seen = [_excess(meter) for meter in self._budgets if meter.budget.mode == Budget.Mode.SOFT]
            case AlertKind.PROJECTED:
                seen = self._projections
            case AlertKind.DAILY:
                seen = _against(self._days, rule)
            case AlertKind.WEEKLY:
                seen = _against(self._weeks, rule)
            case AlertKind.UNUSUAL:
                found = (each.against_past(least_excess_nano=rule.amount_nano) for each in self._past_weeks)
                seen = [reading for reading in found if reading is not None]
            case AlertKind.RATE:
                seen = self._rates
            case _:
                seen = []
        return [reading for reading in seen if reading.tenant_id in tenants]

    @cached_property
    def _budgets(self) -> list[BudgetNow]:
        budgets = Budget.objects.filter(active=True, tenant__in=self._tenants).select_related("tenant").order_by("id")
        return readings.of_budgets(list(budgets), least=self._least, at=self._at)

    @cached_property
    def _rates(self) -> list[Reading]:
        return readings.of_rates((tenant.pk for tenant in self._tenants), at=self._at)

    @cached_property
    def _projections(self) -> list[Reading]:
        return outlook.of_projections(self._budgets, at=self._at)

    @cached_property
    def _days(self) -> list[Running]:
        return outlook.of_days(self._tenants, at=self._at)

    @cached_property
    def _weeks(self) -> list[Running]:
        return outlook.of_weeks(self._tenants, at=self._at)

    @cached_property
    def _past_weeks(self) -> list[Compared]:
        return outlook.of_past_weeks(self._tenants, at=self._at)


def _excess(meter: BudgetNow) -> Reading:
    """A soft budget is exceeded by more than its limit, not by the limit itself."""
    return meter.reading(value=meter.used_nano, base=meter.limit_nano + 1)


def _against(running: Iterable[Running], rule: AlertRule) -> list[Reading]:
    return [each.against(rule.amount_nano or 0) for each in running]
