"""What can be done with prices, among it seeding them from the list prices of the genai-prices package."""

from datetime import UTC, datetime

from django.db import transaction

from billing import list_prices
from billing.models import Price
from compliance import rows
from compliance.contracts import Actor

SEEDED_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""List prices hold since ever, so that any price of an administrator's is newer."""


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
def seed(*, provider: str, models: list[str], by: Actor) -> list[Price]:
    """Adds the list prices of those `models` of `provider` (a slug) that have none; returns what it added."""
    known = set(Price.objects.filter(provider=provider).values_list("model", flat=True))
    listed = {model: list_prices.list_price(provider=provider, model=model) for model in models if model not in known}
    return [
        rows.create(Price(provider=provider, model=model, valid_from=SEEDED_FROM, source="genai-prices", **nano), by=by)
        for model, nano in listed.items()
        if nano
    ]
