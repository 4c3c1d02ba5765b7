"""What can be done with tiers, and which tier a tenant has."""

from django.db import transaction

from billing import seeds
from billing.models import Subscription, Tier, TierLimit
from compliance import rows
from compliance.contracts import Actor


def add(*, tier: Tier, by: Actor) -> Tier:
    """Adds a tier."""
    return rows.create(tier, by=by)


def change(*, tier: Tier, by: Actor) -> Tier:
    """Changes a tier's limits, for all of its tenants at once."""
    return rows.change(tier, by=by)


@transaction.atomic
def remove(*, tier: Tier, by: Actor, reason: str = "") -> None:
    """Deletes a tier and its limits.

    Raises:
        ProtectedError: a tenant has it.
    """
    for limit in tier.limits.all():
        remove_limit(limit=limit, by=by, reason=reason)
    rows.delete(tier, by=by, reason=reason)


def add_limit(*, limit: TierLimit, by: Actor) -> TierLimit:
    """Adds a limit to a tier, for all of its tenants at once.

    Raises:
        ValidationError: the tier has it already.
    """
    return rows.create(limit, by=by)


def change_limit(*, limit: TierLimit, by: Actor) -> TierLimit:
    """Changes a limit of a tier."""
    return rows.change(limit, by=by)


def remove_limit(*, limit: TierLimit, by: Actor, reason: str = "") -> None:
    """Takes a limit out of a tier."""
    rows.delete(limit, by=by, reason=reason)


@transaction.atomic
def seed(*, by: Actor) -> list[Tier]:
    """Adds those of the tiers in `billing.seeds` whose slug no tier has; returns what it added."""
    known = set(Tier.objects.values_list("slug", flat=True))
    return [add(tier=Tier(**fields), by=by) for fields in seeds.TIERS if fields["slug"] not in known]


def subscribe(*, subscription: Subscription, by: Actor) -> Subscription:
    """Gives a tenant its tier.

    Raises:
        ValidationError: the tenant has one; change that one.
    """
    return rows.create(subscription, by=by)


def resubscribe(*, subscription: Subscription, by: Actor) -> Subscription:
    """Moves a tenant to another tier. What it used of its rates so far goes on counting."""
    return rows.change(subscription, by=by)


def unsubscribe(*, subscription: Subscription, by: Actor, reason: str = "") -> None:
    """Takes a tenant's tier away; its requests are refused from then on."""
    rows.delete(subscription, by=by, reason=reason)
