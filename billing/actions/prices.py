"""What can be done with prices, among it seeding them from the list prices of the genai-prices package."""

from collections.abc import Collection
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from billing import list_prices
from billing.models import Price
from compliance import rows
from compliance.contracts import Actor

SEEDED_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""List prices hold since ever, so that any price of an administrator's is newer."""
LIST = "genai-prices"
"""The source of prices that follow that package's."""


def add(*, price: Price, by: Actor) -> Price:
    """Adds a price. It holds from its date until a later one."""
    return rows.create(price, by=by)


def change(*, price: Price, by: Actor) -> Price:
    """Corrects a price. What has been charged stays charged."""
    return rows.change(price, by=by)


def remove(*, price: Price, by: Actor, reason: str = "") -> None:
    """Deletes a price; the one before it holds again, and without one the model is refused."""
    rows.delete(price, by=by, reason=reason)


@transaction.atomic
def seed(*, provider: str, models: Collection[str], by: Actor) -> list[Price]:
    """Adds the list prices of those `models` of `provider` (a slug) that have none; returns what it added."""
    known = set(
        Price.objects.filter(provider=provider, model__in=models, service_tier="").values_list("model", flat=True)
    )
    return [
        _create(provider=provider, model=model, valid_from=SEEDED_FROM, nano=nano, by=by)
        for model in models
        if model not in known and (nano := list_prices.list_price(provider=provider, model=model))
    ]


@transaction.atomic
def follow_list(*, provider: str, models: Collection[str], by: Actor) -> list[Price]:
    """Adds a price from now on where the one in force is a list price that has changed; returns what it added.

    What an administrator has set stays in force.
    """
    now = timezone.now()
    in_force = Price.objects.in_force(at=now).filter(provider=provider, model__in=models, service_tier="")
    return [
        _create(provider=provider, model=price.model, valid_from=now, nano=nano, by=by)
        for price in in_force
        if price.source == LIST
        and (nano := list_prices.list_price(provider=provider, model=price.model))
        and any(getattr(price, column) != value for column, value in nano.items())
    ]


def _create(*, provider: str, model: str, valid_from: datetime, nano: dict[str, int | None], by: Actor) -> Price:
    return rows.create(Price(provider=provider, model=model, valid_from=valid_from, source=LIST, **nano), by=by)
