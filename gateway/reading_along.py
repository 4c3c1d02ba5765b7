"""Reads along what a streamed answer says of itself: how much was produced, whether it ended, what it is charged."""

from gateway.errors import UpstreamCut, UpstreamFailed
from gateway.exchange import Exchange
from gateway.providers import openai
from gateway.providers.openai import Read


def read(exchange: Exchange, data: bytes) -> Read:
    """One event of a stream; writes `produced`, `finished`, `reported` and `service_tier`.

    Raises:
        UpstreamFailed: it cannot be read, or tells of an error.
    """
    try:
        chunk = openai.read(data)
    except ValueError as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error
    if chunk.error:
        raise UpstreamFailed("The upstream failed in the middle of its answer.")
    if chunk.produced:
        exchange.produced.add(chunk.produced)
    exchange.finished |= chunk.finished
    if chunk.tokens is not None:
        exchange.reported = chunk.tokens
    if chunk.service_tier:
        exchange.service_tier = chunk.service_tier
    return chunk


def forget(exchange: Exchange) -> None:
    """As if nothing had been read, where events that were kept are read along once more."""
    exchange.produced = type(exchange.produced)(exchange.produced.tokenizer)
    exchange.reported, exchange.service_tier, exchange.finished = None, "", False
