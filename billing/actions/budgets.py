"""What can be done with budgets."""

from django.db import transaction

from billing.models import Budget, BudgetOverride
from compliance import rows
from compliance.contracts import Actor


def add(*, budget: Budget, by: Actor) -> Budget:
    """Adds a budget. It counts from now on.

    Raises:
        ValidationError: the name is taken, it names what belongs to another tenant, or a tag that is not declared.
    """
    return rows.create(budget, by=by)


def change(*, budget: Budget, by: Actor) -> Budget:
    """Changes a budget. What it has counted stays, unless the period changes."""
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
