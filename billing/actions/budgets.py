"""What can be done with budgets."""

from django.db import transaction

from billing.models import Budget, BudgetOverride
from compliance import rows
from compliance.actions import subjects
from compliance.contracts import Actor


@transaction.atomic
def add(*, budget: Budget, by: Actor, external_id: str = "") -> Budget:
    """Adds a budget. It counts from now on; with `external_id` for whom the tenant's applications call so, who is
    enrolled where no request has named them yet.

    Raises:
        ValidationError: the name is taken, it names what belongs to another tenant, or a tag that is not declared.
    """
    _name(budget, external_id, by=by)
    return rows.create(budget, by=by)


@transaction.atomic
def change(*, budget: Budget, by: Actor, external_id: str = "") -> Budget:
    """Changes a budget. What it has counted stays, unless the period changes. `external_id`: as in `add`."""
    _name(budget, external_id, by=by)
    return rows.change(budget, by=by)


@transaction.atomic
def remove(*, budget: Budget, by: Actor, reason: str = "") -> None:
    """Deletes a budget and its overrides. Its tenant's usage records stay."""
    for row in budget.overrides.all():
        remove_override(override=row, by=by, reason=reason)
    rows.delete(budget, by=by, reason=reason)


def override(*, override: BudgetOverride, by: Actor) -> BudgetOverride:
    """Gives a budget another limit for a while.

    Raises:
        ValidationError: no reason, or it ends before it begins.
    """
    return rows.create(override, by=by, reason=override.reason)


def change_override(*, override: BudgetOverride, by: Actor) -> BudgetOverride:
    """Changes an override, for instance to end it now."""
    return rows.change(override, by=by, reason=override.reason)


def remove_override(*, override: BudgetOverride, by: Actor, reason: str = "") -> None:
    """Deletes an override: the budget's own limit holds."""
    rows.delete(override, by=by, reason=reason)


def _name(budget: Budget, external_id: str, *, by: Actor) -> None:
    if external_id:
        subject = subjects.enrol(tenant_id=budget.tenant_id, external_id=external_id, by=by)
        budget.end_user = subject.surrogate
