"""Calls the upstream, until a whole answer, or the first piece of a streamed one, is in hand."""

import time

from gateway import pricing
from gateway.errors import UpstreamCut, UpstreamFailed
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.providers import openai


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `route`, `sent_at`, `upstream`, `answered_at`, `produced`, and what was read of a whole answer.

    Raises:
        UpstreamFailed: nothing usable came back.
    """
    route = exchange.route = exchange.routes[0]
    exchange.produced.tokenizer = exchange.served.tokenizer
    body = openai.request_body(
        exchange.payload,
        route=route,
        output_limit=exchange.output_limit,
        service_tier=pricing.tier_sent(route, exchange.request),
        stream=exchange.streamed,
    )
    exchange.sent_at = time.perf_counter()
    exchange.upstream = await plane.upstream.post(openai.url(route), body, headers=openai.headers(route), route=route)
    await (_first_events(exchange) if exchange.streamed else _whole(exchange))
    exchange.answered_at = time.perf_counter()


async def _whole(exchange: Exchange) -> None:
    assert exchange.upstream is not None
    body = await exchange.upstream.read()
    try:
        answer = openai.read(body)
    except ValueError as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error
    if answer.error:
        raise UpstreamFailed("The upstream answered with an error.")
    exchange.answer = body
    exchange.produced.add(answer.produced)
    exchange.reported = answer.tokens
    exchange.service_tier = answer.service_tier


async def _first_events(exchange: Exchange) -> None:
    """Has the stream begin before the client is told that it does: until here a failure has a status of its own."""
    assert exchange.upstream is not None
    exchange.first_events = await exchange.upstream.next_events()
    if not exchange.first_events:
        raise UpstreamCut("The upstream closed the connection before its answer was complete.")
    if exchange.first_events[0] != openai.DONE and _is_error(exchange.first_events[0]):
        raise UpstreamFailed("The upstream answered with an error.")


def _is_error(data: bytes) -> bool:
    try:
        return openai.read(data).error
    except ValueError as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error
