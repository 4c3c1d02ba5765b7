"""Which budgets an adjustment changes, and what it would do to them."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.db.models import Sum

from billing import meters, money, selectors
from billing.charging import SEPARATE, value_key
from billing.models import Adjustment, Budget, UsageRecord


@dataclass(frozen=True, slots=True)
class Matching:
    """A budget that an adjustment is for, and the name of its meter in the ledger."""

    budget: Budget
    meter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What is used of a budget in its current period, and what will be."""

    label: str
    before_nano: int
    after_nano: int


def complete(adjustment: Adjustment) -> None:
    """Fills in what follows from what is named: of a request all that its usage record says, of a key its application.

    Raises:
        ValidationError: the request is unknown, or a credit is more than it has cost.
    """
    if adjustment.request_id is not None:
        _complete_from_record(adjustment, adjustment.request_id)
    elif adjustment.api_key is not None:
        adjustment.application_id = adjustment.application_id or adjustment.api_key.application_id
        adjustment.environment = adjustment.environment or adjustment.api_key.environment


def matching(adjustment: Adjustment) -> list[Matching]:
    """The budgets in force that match the scope of an adjustment that is about no request.

    A budget matches when the adjustment names all that it is narrowed to: a credit for the whole tenant changes the
    tenant's own budgets, and none of an application.
    """
    zone = ZoneInfo(adjustment.tenant.time_zone)
    found = []
    for budget in Budget.objects.filter(tenant=adjustment.tenant, active=True).order_by("id"):
        own = _own_meter(budget, adjustment)
        if own is not None and meters.in_force(budget, zone, at=adjustment.at) and _names(adjustment, budget):
            found.append(Matching(budget, budget.meter_name + own))
    return found


def effects(adjustment: Adjustment) -> list[Effect] | None:
    """What applying it now would change, for people to see before; None when the ledger does not answer."""
    try:
        return _of_request(adjustment) if adjustment.request_id else _of_scope(adjustment)
    except DatabaseError:
        return None


def labels(names: Collection[str], *, tenant_id: int) -> list[str]:
    """What the budgets with those meters are called."""
    budgets = {budget.meter_name: budget.name for budget in Budget.objects.filter(tenant_id=tenant_id)}
    return [_label(budgets.get(_budget_part(name), name), name) for name in names]


def _complete_from_record(adjustment: Adjustment, request_id: UUID) -> None:
    record = UsageRecord.objects.filter(tenant_id=adjustment.tenant_id, request_id=request_id).first()
    if record is None:
        raise ValidationError(
            {"request_id": "The tenant has no usage record of it. One appears a second or two after a request ends."}
        )
    adjusted = Adjustment.objects.filter(tenant_id=adjustment.tenant_id, request_id=record.request_id)
    cost_nano = record.cost_nano + (adjusted.aggregate(nano=Sum("amount_nano"))["nano"] or 0)
    if cost_nano + adjustment.amount_nano < 0:
        raise ValidationError({"amount_nano": f"The request has cost {money.show(cost_nano)}; credit at most that."})
    for name in ("application_id", "api_key_id", "environment", "model", "end_user", "at", "charged"):
        setattr(adjustment, name, getattr(record, name))
    adjustment.tag = adjustment.tag_value = ""


def _names(adjustment: Adjustment, budget: Budget) -> bool:
    """Whether the adjustment names all that the budget is narrowed to."""
    narrowed = (
        (budget.application_id, adjustment.application_id),
        (budget.api_key_id, adjustment.api_key_id),
        (budget.environment, adjustment.environment),
        (budget.model, adjustment.model),
        (budget.end_user, adjustment.end_user),
        (budget.tag, adjustment.tag),
        (budget.tag_value, adjustment.tag_value),
    )
    return all(not wanted or wanted == named for wanted, named in narrowed)


def _own_meter(budget: Budget, adjustment: Adjustment) -> str | None:
    """What the meter's name has after the budget's: nothing, or the value that it counts apart; None where the
    adjustment does not say whose."""
    if not budget.each:
        return ""
    own = {
        Budget.Each.APPLICATION: str(adjustment.application_id or ""),
        Budget.Each.ENVIRONMENT: adjustment.environment,
        Budget.Each.API_KEY: str(adjustment.api_key_id or ""),
        Budget.Each.END_USER: adjustment.end_user,
        Budget.Each.MODEL: value_key(adjustment.model) if adjustment.model else "",
        Budget.Each.TAG: value_key(adjustment.tag_value) if adjustment.tag_value else "",
    }[Budget.Each(budget.each)]
    return f"{SEPARATE}{own}" if own else None


def _of_scope(adjustment: Adjustment) -> list[Effect]:
    found = matching(adjustment)
    names = [each.meter for each in found]
    rows = selectors.current_meters().filter(tenant_id=adjustment.tenant_id, name__in=names)
    used = dict(rows.values_list("name", "used"))
    return [_effect(_label(each.budget.name, each.meter), used.get(each.meter, 0), adjustment) for each in found]


def _of_request(adjustment: Adjustment) -> list[Effect]:
    """Of the budgets that the request was charged to, those that are still in the same period."""
    current = selectors.current_meters().filter(tenant_id=adjustment.tenant_id, pk__in=adjustment.charged)
    same = current.filter(period_start__lte=adjustment.at).order_by("pk")
    found = list(same.values_list("name", "used"))
    called = labels([name for name, _ in found], tenant_id=adjustment.tenant_id)
    return [_effect(label, used, adjustment) for label, (_, used) in zip(called, found, strict=True)]


def _effect(label: str, used: int, adjustment: Adjustment) -> Effect:
    return Effect(label=label, before_nano=used, after_nano=used + adjustment.amount_nano)


def _budget_part(meter: str) -> str:
    return meter.partition(SEPARATE)[0]


def _label(budget: str, meter: str) -> str:
    value = meter.partition(SEPARATE)[2]
    return f"{budget} ({value})" if value else budget
