"""Passes a stream on, piece by piece as it comes, and reads along; guards look at it in between."""

from collections.abc import AsyncIterator, Sequence

from gateway import guarded, reading_along
from gateway.allowance import Allowance
from gateway.errors import BudgetExceeded, ContentRefused, Refusal, UpstreamCut, UpstreamFailed
from gateway.exchange import Exchange
from gateway.guarded import Passing
from gateway.plane import Plane
from gateway.produced import Mark
from gateway.providers import openai
from gateway.upstream import UpstreamAnswer


async def run(exchange: Exchange, plane: Plane) -> AsyncIterator[bytes]:
    """Yields the events for the client, all but the last one (`[DONE]`); writes `produced`, `reported`, `service_tier`
    and `guard_streams`.

    Raises:
        UpstreamFailed: the stream ended early, or with an error.
        BudgetExceeded: a budget had no room for more; the client was told `finish_reason: "length"`.
        Unavailable: more could not be held for, as the ledger did not answer.
        ContentRefused: a guard ended it; nothing of what it found went out.
    """
    if exchange.kept_back:
        reading_along.forget(exchange)
    assert exchange.upstream is not None
    passing, allowance = guarded.passing(exchange), Allowance(exchange, plane.ledger)
    batch: Sequence[bytes] = exchange.first_events
    failure: Refusal | None = None
    while True:
        passed = exchange.produced.mark()
        events, failure = _read(exchange, batch) if batch else ([], failure or _cut(exchange))
        is_covered = await allowance.covers()
        if not is_covered:
            events, failure = _as_far_as_held(exchange, events, passed), _over_budget()
        is_last = failure is not None or not batch or openai.DONE in batch
        events, refused = _looked_at(passing, events, is_last=is_last)
        if not is_covered and refused is None:
            events.append(openai.length_event(exchange.first_events[0], choices=exchange.request.n or 1))
        if events:
            yield b"".join(map(_framed, events))
        if (error := refused or failure) is not None:
            raise error
        if is_last:
            return
        batch, failure = await _next(exchange.upstream)


async def _next(upstream: UpstreamAnswer) -> tuple[Sequence[bytes], Refusal | None]:
    """The next events; none where there are no more, and why that is if it should not be."""
    try:
        return await upstream.next_events(), None
    except UpstreamFailed as failure:
        return (), failure


def _cut(exchange: Exchange) -> Refusal | None:
    """What is wrong where a stream has ended; some upstreams say that they have finished, and leave out `[DONE]`."""
    if exchange.finished:
        return None
    return UpstreamCut("The upstream closed the connection before its answer was complete.")


def _read(exchange: Exchange, batch: Sequence[bytes]) -> tuple[list[bytes], Refusal | None]:
    """Notes what the events of `batch` say. Returns those that the client gets, and why there are no more."""
    events: list[bytes] = []
    if exchange.events is not None:
        exchange.events += batch
    for data in batch:
        if data == openai.DONE:
            break
        try:
            chunk = reading_along.read(exchange, data)
        except UpstreamFailed as failure:
            return events, failure
        if not chunk.only_usage or exchange.request.wants_usage_chunk:
            events.append(data)
    return events, None


def _looked_at(
    passing: Passing | None, events: list[bytes], *, is_last: bool
) -> tuple[list[bytes], ContentRefused | None]:
    """The events as guards let them pass, and why there are no more. `is_last`: nothing comes after them."""
    if passing is None:
        return events, None
    try:
        return passing.events(events, is_last=is_last)
    except ValueError as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error


def _as_far_as_held(exchange: Exchange, events: list[bytes], passed: Mark) -> list[bytes]:
    """Those of the last events that the hold is enough for."""
    produced = exchange.produced
    produced.reset(passed)
    for number, event in enumerate(events):
        before = produced.mark()
        produced.add(openai.read(event).produced)
        if produced.about() > exchange.output_tokens:
            produced.reset(before)
            return events[:number]
    return events


def _over_budget() -> BudgetExceeded:
    return BudgetExceeded("The answer was ended here: a budget has no room for more.", resets_at=None)


def _framed(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"
