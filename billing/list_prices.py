"""List prices of public providers, out of the genai-prices package: what Price rows are seeded from."""

from decimal import Decimal
from typing import Any

from billing import money


def list_price(*, provider: str, model: str) -> dict[str, int | None] | None:
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
        "request_nano": _further(price.requests_kcount, per=1000) or 0,
        "reasoning_nano": _further(price.output_reasoning_mtok),
        "search_nano": _further(price.web_searches_kcount, per=1000),
    }


def context_tokens(*, provider: str, model: str) -> int | None:
    """The most input tokens that a model takes, or None when the package does not know."""
    from genai_prices import Usage, calc_price

    try:
        return calc_price(
            Usage(input_tokens=1, output_tokens=1), model_ref=model, provider_id=provider
        ).model.context_window
    except LookupError:
        return None


def _further(dollars: Any, *, per: int = 1) -> int | None:
    """What only some models cost, each of so many of them, rounded up; None when the package knows no price."""
    return None if dollars is None else -(-_nano(dollars, default=0) // per)


def _nano(dollars: Any, *, default: int) -> int:
    """A price in dollars as nano-dollars; of a tiered one the dearest step, so that nothing is charged too little."""
    if dollars is None:
        return default
    if isinstance(dollars, Decimal):
        return money.from_dollars(dollars)
    return max(money.from_dollars(price) for price in (dollars.base, *(step.price for step in dollars.tiers)))
