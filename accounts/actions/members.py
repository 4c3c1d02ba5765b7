"""Who belongs to a tenant, and as what."""

from accounts.models import Membership
from compliance import rows
from compliance.contracts import Actor


def add(*, membership: Membership, by: Actor) -> Membership:
    """Makes a user a member of a tenant.

    Raises:
        ValidationError: the user is one already.
    """
    return rows.create(membership, by=by)


def change(*, membership: Membership, by: Actor) -> Membership:
    """Gives a member another role."""
    return rows.change(membership, by=by)


def remove(*, membership: Membership, by: Actor, reason: str = "") -> None:
    """Ends a membership."""
    rows.delete(membership, by=by, reason=reason)
