"""Keeps streams back where guards must see all of them, and has a model asked once more for the form that is wanted."""

import time

import msgspec

from gateway import answers_judged, asking_again, calling, guarded
from gateway.exchange import Exchange
from gateway.guards.budget import OutOfTime
from gateway.guards.output_format import Expected, Fault, fault_of
from gateway.plane import Plane

_decode = msgspec.json.Decoder().decode


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `kept_back`, and of such a stream all events to `first_events`; after a second call also `earlier`.

    Raises:
        UpstreamFailed: a stream ended early, or the second call failed.
        ContentRefused: a guard blocks an answer that was kept back. It is charged.
    """
    kept_back = exchange.kept_back = answers_judged.is_kept_back(exchange)
    if kept_back:
        await _complete(exchange, plane)
    wanted = asking_again.wanted(exchange)
    faulty = _faulty_in_time(exchange, wanted) if wanted is not None else None
    if faulty is not None:
        await _again(exchange, plane, *faulty)
    if kept_back or faulty is not None:
        exchange.answered_at = time.perf_counter()
    if kept_back:
        answers_judged.judge(exchange, answers_judged.whole(exchange.first_events))
    elif exchange.streamed and answers_judged.is_judged_afterwards(exchange):
        exchange.events = []


async def afterwards(exchange: Exchange) -> None:
    """Has those look at a stream that has ended who did not keep it back.

    Raises:
        ContentRefused: one of them blocks it. It is charged.
    """
    if exchange.events:
        answers_judged.judge(exchange, answers_judged.whole(exchange.events))


async def _again(exchange: Exchange, plane: Plane, answer: str, fault: Fault) -> None:
    assert exchange.upstream is not None
    exchange.upstream.release()
    exchange.upstream = None
    asking_again.begin(exchange)
    exchange.again_at = time.perf_counter()
    await calling.ask(exchange, plane, asking_again.payload(exchange, answer=answer, fault=fault))
    if exchange.streamed:
        await _complete(exchange, plane)


async def _complete(exchange: Exchange, plane: Plane) -> None:
    with plane.in_hand.one_less:
        await answers_judged.complete(exchange)


def _faulty_in_time(exchange: Exchange, wanted: Expected) -> tuple[str, Fault] | None:
    """As `_faulty`; none where guards have no time left, as the one that looks at the answer next then finds."""
    looking = guarded.engine(exchange)
    assert looking is not None
    try:
        return guarded.answer_budget(exchange, looking).within(lambda: _faulty(exchange, wanted))
    except OutOfTime:
        return None


def _faulty(exchange: Exchange, wanted: Expected) -> tuple[str, Fault] | None:
    """The first answer that has not the form, with what is wrong. None where one was cut for its length: so would be
    the next."""
    answer = answers_judged.whole(exchange.first_events) if exchange.streamed else _decode(exchange.answer)
    choices = [choice for choice in answer.get("choices") or () if isinstance(choice, dict)]
    if any(choice.get("finish_reason") == "length" for choice in choices):
        return None
    for choice in choices:
        message = choice.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str) and content and (fault := fault_of(content, wanted)) is not None:
            return content, fault
    return None
