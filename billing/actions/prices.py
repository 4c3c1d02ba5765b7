"""What can be done with prices, among it seeding them from the list prices of the genai-prices package."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing import money
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
    listed = {model: list_price(provider=provider, model=model) for model in models if model not in known}
    return [
        rows.create(Price(provider=provider, model=model, valid_from=SEEDED_FROM, source="genai-prices", **nano), by=by)
        for model, nano in listed.items()
        if nano
    ]


def list_price(*, provider: str, model: str) -> dict[str, int] | None:
    """The list price of a model as columns of Price, or None when the package knows none."""
    from genai_prices import Usage, calc_price

    try:
        price = calc_price(Usage(input_tokens=1, output_tokens=1), model_ref=model, provider_id=provider).model_price
    except LookupError:
        return None
    if price.input_mtok is None and price.output_mtok is None:
        return None  # listed without a price, which must not read as free
    input_nano = _nano(price.input_mtok, default=0)
    return {
        "input_nano": input_nano,
        "cached_input_nano": _nano(price.cache_read_mtok, default=input_nano),
        "cache_write_nano": _nano(price.cache_write_mtok, default=input_nano),
        "output_nano": _nano(price.output_mtok, default=0),
        "request_nano": _nano(price.requests_kcount, default=0) // 1000,
    }


def _nano(dollars: Any, *, default: int) -> int:
    """A price in dollars as nano-dollars; of a tiered one the dearest step, so that nothing is charged too little."""
    if dollars is None:
        return default
    if isinstance(dollars, Decimal):
        return money.from_dollars(dollars)
    return max(money.from_dollars(price) for price in (dollars.base, *(step.price for step in dollars.tiers)))
