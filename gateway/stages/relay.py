"""Passes a stream on, piece by piece as it comes, and reads along."""

from collections.abc import AsyncIterator, Sequence

from gateway.allowance import Allowance
from gateway.errors import BudgetExceeded, UpstreamCut, UpstreamFailed
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.produced import Mark
from gateway.providers import openai

_PREFIX = b"data: "


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
        passed = exchange.produced.mark()
        pieces, failure = _read(exchange, batch)
        if not await allowance.covers():
            yield _as_far_as_held(exchange, pieces, passed)
            raise BudgetExceeded("The answer was ended here: a budget has no room for more.", resets_at=None)
        if pieces:
            yield b"".join(pieces)
        if failure:
            raise failure
        if openai.DONE in batch:
            return
        batch = await exchange.upstream.next_events()
    if not exchange.finished:  # some say that they have finished, and leave out `[DONE]`
        raise UpstreamCut("The upstream closed the connection before its answer was complete.")


def _read(exchange: Exchange, batch: Sequence[bytes]) -> tuple[list[bytes], UpstreamFailed | None]:
    """Notes what the events of `batch` say. Returns those that the client gets, framed, and why there are no more."""
    framed: list[bytes] = []
    for data in batch:
        if data == openai.DONE:
            break
        try:
            if _is_for_client(exchange, data):
                framed.append(_framed(data))
        except UpstreamFailed as failure:
            return framed, failure
    return framed, None


def _as_far_as_held(exchange: Exchange, pieces: list[bytes], passed: Mark) -> bytes:
    """What of the last pieces the hold is enough for, and the chunk that says that the answer ends for its length."""
    produced = exchange.produced
    produced.reset(passed)
    for number, piece in enumerate(pieces):
        before = produced.mark()
        produced.add(openai.read(piece.removeprefix(_PREFIX)).produced)
        if produced.about() > exchange.output_tokens:
            produced.reset(before)
            pieces = pieces[:number]
            break
    ended = openai.length_event(exchange.first_events[0], choices=exchange.request.n or 1)
    return b"".join((*pieces, _framed(ended)))


def _framed(data: bytes) -> bytes:
    return _PREFIX + data + b"\n\n"


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
