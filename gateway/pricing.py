"""Which price a request has at a deployment: by its service tier, and by what else it asks for. Pure.

A service tier has a price of its own, or is refused. Where a deployment has prices of several, a request that names
none is sent with `default`, so that what it will cost does not depend on settings at the provider.
"""

from dataclasses import dataclass

from billing import money
from billing.money import Rates, Tokens
from gateway.routing import ModelRoutes, Route
from gateway.wire.chat import ChatRequest

DEFAULT = "default"
AUTO = "auto"
_UNSAID = (None, "", DEFAULT, AUTO)


@dataclass(frozen=True, slots=True)
class Unpriced:
    """What has no price: the field, and what to tell the client."""

    param: str
    message: str


def priced(model: ModelRoutes, chat: ChatRequest) -> "tuple[Route, ...] | Unpriced":
    """The routes of `model` that have a price for all that the request asks for, or what has none at the first."""
    faults = [_fault(route, chat) for route in model.routes]
    routes = tuple(route for route, fault in zip(model.routes, faults, strict=True) if fault is None)
    return routes or faults[0] or ()


def hold_nano(route: Route, chat: ChatRequest, *, input_tokens: int, output_tokens: int) -> int:
    """The most that a request of at most these tokens can cost there, in whichever service tier it is served."""
    return max(
        money.hold_nano(input_tokens=input_tokens, output_tokens=output_tokens, rates=rates, searches=chat.searches)
        for rates in _possible(route, chat)
    )


def extension_nano(route: Route, chat: ChatRequest, *, output_tokens: int) -> int:
    """The most that so many more output tokens can cost."""
    dearest = max(money.dearest_output_nano(rates) for rates in _possible(route, chat))
    return -(-output_tokens * dearest // money.PER_MILLION)


def cost_nano(route: Route, chat: ChatRequest, tokens: Tokens, *, served_tier: str) -> int:
    """What a request of those tokens costs in the tier that the upstream says it was served in (empty: unsaid)."""
    tier = served_tier if served_tier in (*route.tier_rates, DEFAULT) else chat.service_tier or DEFAULT
    rates = route.tier_rates.get(tier, route.rates)
    return money.cost_nano(tokens, rates, searches=chat.searches)


def tier_sent(route: Route, chat: ChatRequest) -> str | None:
    """The service tier that the upstream is asked for; None: it is not told any."""
    if chat.service_tier in (None, "") and route.tier_rates:
        return DEFAULT
    return chat.service_tier


def _fault(route: Route, chat: ChatRequest) -> Unpriced | None:
    if chat.service_tier not in _UNSAID and chat.service_tier not in route.tier_rates:
        known = ", ".join([DEFAULT, *sorted(route.tier_rates)])
        message = f"The service tier '{chat.service_tier}' has no price for this model; use one of: {known}."
        return Unpriced("service_tier", message)
    if chat.searches and any(rates.search_nano is None for rates in _possible(route, chat)):
        return Unpriced("web_search_options", "Web search has no price for this model. Leave 'web_search_options' out.")
    if chat.has_audio:
        return Unpriced("modalities", "Audio has no price here. Ask for text, and send text.")
    return None


def _possible(route: Route, chat: ChatRequest) -> list[Rates]:
    """The prices that may apply: a tier that is full falls back to the default."""
    if chat.service_tier == AUTO:
        return [route.rates, *route.tier_rates.values()]
    named = route.tier_rates.get(chat.service_tier or "")
    return [route.rates] if named is None else [route.rates, named]
