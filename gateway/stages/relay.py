"""Passes a stream on, piece by piece as it comes, and reads along."""

from collections.abc import AsyncIterator

import structlog

from gateway.errors import UpstreamCut, UpstreamFailed
from gateway.exchange import Exchange
from gateway.providers import openai

log = structlog.get_logger("gateway.relay")


async def run(exchange: Exchange) -> AsyncIterator[bytes]:
    """Yields the events for the client, all but the last one (`[DONE]`); writes `produced` and `reported`.

    Raises:
        UpstreamFailed: the stream ended early, or with an error.
    """
    events = exchange.events
    assert events is not None
    if (piece := _read(exchange, exchange.first_events)) is not None:
        yield piece
    done = exchange.first_events[-1] == openai.DONE
    while not done:
        try:
            batch = await anext(events)
        except StopAsyncIteration:
            raise UpstreamCut("The upstream closed the connection before its answer was complete.") from None
        done = batch[-1] == openai.DONE
        if piece := _read(exchange, batch):
            yield piece


def _read(exchange: Exchange, batch: list[bytes]) -> bytes:
    """Notes what the events of `batch` say, and returns those that the client gets, framed."""
    framed = []
    for data in batch:
        if data != openai.DONE and _is_for_client(exchange, data):
            framed.append(b"data: " + data + b"\n\n")
    return b"".join(framed)


def _is_for_client(exchange: Exchange, data: bytes) -> bool:
    try:
        chunk = openai.read(data)
    except ValueError as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error
    if chunk.error:
        raise UpstreamFailed("The upstream failed in the middle of its answer.")
    if chunk.produced:
        exchange.produced.append(chunk.produced)
    if chunk.tokens is not None:
        exchange.reported = chunk.tokens
    return not chunk.only_usage or exchange.request.wants_usage_chunk
