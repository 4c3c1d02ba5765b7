"""What can be done with the expressions that a tenant does not let pass."""

from compliance import rows
from compliance.contracts import Actor
from gateway.models import GuardPattern


def add(*, pattern: GuardPattern, by: Actor) -> GuardPattern:
    """Adds an expression; policies whose guard `patterns` is on look for it at once.

    Raises:
        ValidationError: the name is taken, or the expression could take long, match nothing, or match too much.
    """
    return rows.create(pattern, by=by)


def change(*, pattern: GuardPattern, by: Actor) -> GuardPattern:
    """Changes an expression, or switches it off and on.

    Raises:
        ValidationError: as `add`.
    """
    return rows.change(pattern, by=by)


def remove(*, pattern: GuardPattern, by: Actor, reason: str = "") -> None:
    """Deletes an expression."""
    rows.delete(pattern, by=by, reason=reason)
