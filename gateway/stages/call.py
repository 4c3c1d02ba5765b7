"""Calls the upstream, until a whole answer, or the first piece of a streamed one, is in hand."""

import time

from gateway import calling
from gateway.exchange import Exchange
from gateway.plane import Plane


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `route`, `sent_at`, `upstream`, `answered_at`, `produced`, and what was read of a whole answer.

    Raises:
        UpstreamFailed: nothing usable came back.
    """
    exchange.route = exchange.routes[0]
    exchange.produced.tokenizer = exchange.served.tokenizer
    await calling.ask(exchange, plane, exchange.payload)
    exchange.answered_at = time.perf_counter()
