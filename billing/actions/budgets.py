"""What can be done with budgets."""

from billing.models import Budget
from compliance import rows
from compliance.contracts import Actor


def add(*, budget: Budget, by: Actor) -> Budget:
    """Adds a budget. It counts from now on.

    Raises:
        ValidationError: the name is taken, or it names what belongs to another tenant.
    """
    return rows.create(budget, by=by)


def change(*, budget: Budget, by: Actor) -> Budget:
    """Changes a budget. What it has counted stays, unless the period changes."""
    return rows.change(budget, by=by)


def remove(*, budget: Budget, by: Actor, reason: str = "") -> None:
    """Deletes a budget. Its tenant's usage records stay."""
    rows.delete(budget, by=by, reason=reason)
