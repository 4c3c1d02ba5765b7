"""What can be done with tenants' own regimes of deadlines."""

from compliance import rows
from compliance.contracts import Actor
from compliance.models import Regime


def add(*, regime: Regime, by: Actor) -> Regime:
    """Adds a regime; requests that name it get its deadlines.

    Raises:
        ValidationError: the name is a built-in one's or taken, or no day of the week is left to work on.
    """
    return rows.create(regime, by=by)


def change(*, regime: Regime, by: Actor) -> Regime:
    """Changes a regime for requests from now on; those that arrived before keep their terms."""
    return rows.change(regime, by=by)


def remove(*, regime: Regime, by: Actor, reason: str = "") -> None:
    """Deletes a regime; requests that arrived under it keep their terms."""
    rows.delete(regime, by=by, reason=reason)
