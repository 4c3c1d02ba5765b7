"""Passes a stream on, piece by piece as it comes, and reads along."""

from collections.abc import AsyncIterator, Sequence

from gateway.allowance import Allowance
from gateway.errors import BudgetExceeded, UpstreamCut, UpstreamFailed
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.providers import openai


async def run(exchange: Exchange, plane: Plane) -> AsyncIterator[bytes]:
    """Yields the events for the client, all but the last one (`[DONE]`); writes `produced`, `reported`, `service_tier`.

    Raises:
        UpstreamFailed: the stream ended early, or with an error.
        BudgetExceeded: a budget had no room for more; the client was told `finish_reason: "length"`.
        Unavailable: more could not be held for, as the ledger did not answer.
    """
    assert exchange.upstream is not None
    batch = exchange.first_events
    allowance = Allowance(exchange, plane.ledger)
    while batch:
        piece, failure = _read(exchange, batch)
        if piece:
            yield piece
        if failure:
            raise failure
        if openai.DONE in batch:
            return
        if not await allowance.covers():
            yield b"data: " + openai.length_event(exchange.first_events[0]) + b"\n\n"
            raise BudgetExceeded(
                f"The answer was ended after {exchange.produced.about()} tokens: a budget has no room for more.",
                resets_at=None,
            )
        batch = await exchange.upstream.next_events()
    if not exchange.finished:  # some say that they have finished, and leave out `[DONE]`
        raise UpstreamCut("The upstream closed the connection before its answer was complete.")


def _read(exchange: Exchange, batch: Sequence[bytes]) -> tuple[bytes, UpstreamFailed | None]:
    """Notes what the events of `batch` say. Returns those that the client gets, framed, and why there are no more."""
    framed = []
    for data in batch:
        if data == openai.DONE:
            break
        try:
            if _is_for_client(exchange, data):
                framed.append(b"data: " + data + b"\n\n")
        except UpstreamFailed as failure:
            return b"".join(framed), failure
    return b"".join(framed), None


def _is_for_client(exchange: Exchange, data: bytes) -> bool:
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
    return not chunk.only_usage or exchange.request.wants_usage_chunk
