"""The call of a chat's upstream: what is sent, and the reading of what comes back."""

import time
from collections.abc import Mapping
from typing import Any

from accounts.pseudonyms import upstream_pseudonym
from gateway import pricing
from gateway.errors import UpstreamCut, UpstreamFailed
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.providers import openai
from gateway.routing import Route


async def ask(exchange: Exchange, plane: Plane, payload: Mapping[str, Any]) -> None:
    """Sends `payload` and waits for a whole answer, or for the first events of a streamed one.

    Writes `upstream`, the first time also `sent_at`, and what was read: `first_events`, or `answer`, `produced`,
    `reported` and `service_tier`.

    Raises:
        UpstreamFailed: nothing usable came back.
    """
    route = exchange.route
    assert route is not None
    body = openai.request_body(
        payload,
        route=route,
        output_limit=exchange.output_limit,
        service_tier=pricing.tier_sent(route, exchange.request),
        end_user=_end_user(exchange, route),
        stream=exchange.streamed,
    )
    if exchange.sent_at is None:
        exchange.sent_at = time.perf_counter()
    url, headers = openai.url(route), openai.headers(route)
    with plane.in_hand.one_less:
        exchange.upstream = await plane.upstream.post(url, body, headers=headers, route=route)
        await (_first_events(exchange) if exchange.streamed else _whole(exchange))


def _end_user(exchange: Exchange, route: Route) -> str:
    """What the provider knows the person by: neither what the application does, nor what another provider does."""
    if not exchange.end_user:
        return ""
    return upstream_pseudonym(exchange.end_user, provider=route.provider, salt=exchange.principal.pseudonym_salt)


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
