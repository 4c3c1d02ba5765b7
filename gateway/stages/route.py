"""Chooses the deployments that may answer, in the order in which they are tried."""

from gateway import pricing
from gateway.errors import InvalidRequest, ModelNotFound
from gateway.exchange import Exchange
from gateway.plane import Plane


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `model` and `routes`.

    Raises:
        ModelNotFound: nobody serves the model, or this key may not use it: one answer for both.
        InvalidRequest: it asks for something that has no price, or no bound.
    """
    name = exchange.request.model
    model = (await plane.snapshots.routes()).models.get(name)
    if model is None or not exchange.principal.may_use(name):
        raise ModelNotFound(name)
    exchange.model = model
    priced = pricing.priced(model, exchange.request)
    if isinstance(priced, pricing.Unpriced):
        raise InvalidRequest(priced.message, param=priced.param)
    if exchange.unbounded and model.context_tokens is None:
        raise InvalidRequest(
            "What this request takes cannot be counted beforehand: it has files, or searches the web, and the model's "
            "context size is not known here. Send text, or ask your administrator to set it.",
            param="messages",
        )
    exchange.routes = priced
