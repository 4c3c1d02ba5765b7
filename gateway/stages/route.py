"""Chooses the deployments that may answer, in the order in which they are tried."""

from gateway.errors import ModelNotFound
from gateway.exchange import Exchange
from gateway.plane import Plane


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `model` and `routes`.

    Raises:
        ModelNotFound: nobody serves the model, or this key may not use it: one answer for both.
    """
    name = exchange.request.model
    model = (await plane.snapshots.routes()).models.get(name)
    if model is None or not exchange.principal.may_use(name):
        raise ModelNotFound(name)
    exchange.model = model
    exchange.routes = model.routes
