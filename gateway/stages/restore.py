"""Gives the client its own values back, last of all. Of streams that is done while they pass (`pipeline.stream`)."""

from gateway import reversible
from gateway.exchange import Exchange
from gateway.plane import Plane


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `given`: the answer as it goes out. What is stored of it holds placeholders."""
    if not exchange.streamed:
        exchange.given = reversible.whole(exchange, exchange.outgoing)
