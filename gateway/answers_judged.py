"""Judges and moderation of an answer need all of it: what that means for one that is streamed.

A guard that may refuse it, because policy says so or because it might fail, has the stream kept back until it is
complete. What is only put on record is looked at when the stream has ended. So are canaries, unless policy has streams
kept back for them: most are found while the stream passes, and what only all of it shows ends it with an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway import guarded, reading_along
from gateway.errors import ContentRefused, UpstreamCut
from gateway.exchange import Exchange
from gateway.guards import moderation, output_format
from gateway.guards.base import Action, Direction, Guarding, OnError, Terms, Text
from gateway.guards.canaries import leakage
from gateway.guards.injection import tools
from gateway.guards.registry import guards
from gateway.providers import openai
from gateway.upstream import ANSWER_MOST_BYTES
from gateway.wire import assembled, texts


def of(guarding: Guarding | None, request: Mapping[str, Any]) -> list[Terms]:
    """What policy says of those guards that look at whole answers to a request."""
    if guarding is None:
        return []
    looking = (terms for terms in guarding.terms if terms.action and Direction.ANSWER in terms.directions)
    return [terms for terms in looking if _looks(terms, request)]


def _looks(terms: Terms, request: Mapping[str, Any]) -> bool:
    """Guards that find in streams, too, need no whole answer."""
    match terms.guard:
        case moderation.NAME:
            return True
        case leakage.NAME:
            return any(terms.settings.get(mark) for mark in ("insert", "tokens", "instructions"))
        case output_format.NAME:
            return output_format.expected(request, terms.settings) is not None
        case tools.NAME:  # of answers, the calls of tools
            return bool(terms.settings.get("tools") and (request.get("tools") or request.get("functions")))
    guard = guards().get(terms.guard)
    if guard is None or guard.judge is None or Direction.ANSWER not in guard.directions:
        return False
    return guard.rules is None and guard.finders is None and guard.live is None


def may_refuse(found: Sequence[Terms]) -> bool:
    """Whether one of them may refuse the answer, or have it written again, before any of it goes out."""
    return any(
        terms.action >= Action.BLOCK or terms.on_error is OnError.BLOCK or terms.settings.get("retry")
        for terms in found
        if terms.guard != leakage.NAME or terms.settings.get("hold")
    )


def is_kept_back(exchange: Exchange) -> bool:
    """Whether nothing of the streamed answer goes out before all of it is there."""
    return exchange.streamed and may_refuse(of(exchange.principal.guarding, exchange.payload))


def is_judged_afterwards(exchange: Exchange) -> bool:
    """Whether the streamed answer is looked at when it has ended."""
    found = of(exchange.principal.guarding, exchange.payload)
    return bool(found) and not may_refuse(found)


async def complete(exchange: Exchange) -> None:
    """Reads a stream to its end: `first_events` has all of it then. `produced`, `reported` and the like are written.

    Raises:
        UpstreamFailed: it ended early, or with an error.
    """
    assert exchange.upstream is not None
    events: list[bytes] = []
    batch, size = exchange.first_events, 0
    while batch:
        size += sum(map(len, batch))
        if size > ANSWER_MOST_BYTES:
            raise UpstreamCut("The upstream's answer is too large.")
        for data in batch:
            events.append(data)
            if data == openai.DONE:
                exchange.first_events = events
                return
            reading_along.read(exchange, data)
        batch = await exchange.upstream.next_events()
    if not exchange.finished:
        raise UpstreamCut("The upstream closed the connection before its answer was complete.")
    exchange.first_events = [*events, openai.DONE]


def whole(events: Sequence[bytes]) -> dict[str, Any]:
    """The answer that the events of a stream spell out, in the form of a whole one.

    Raises:
        UpstreamCut: they cannot be read.
    """
    try:
        return {"choices": assembled.choices([b"data: %b\n\n" % event for event in events if event != openai.DONE])}
    except ValueError as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error


def judge(exchange: Exchange, answer: Mapping[str, Any]) -> None:
    """Has judges look at an answer whose stream was kept back, or has ended; their outcomes are on record from here on.
    Finders look at it while it passes.

    Raises:
        ContentRefused: a guard blocks it.
    """
    looking = guarded.engine(exchange)
    if looking is None:
        return
    with guarded.timed(exchange):
        verdict = looking.look(
            texts.of_answer(answer),
            Direction.ANSWER,
            replace=guarded.replace(exchange),
            canaries=exchange.canaries,
            system=exchange.system,
            request=exchange.payload,
            finders=False,
            budget=guarded.answer_budget(exchange, looking),
        )
    exchange.guard_outcomes += verdict.outcomes
    if verdict.blocked_by:
        raise ContentRefused(verdict.blocked_by, Direction.ANSWER)


def redacted(exchange: Exchange, answer: Mapping[str, Any]) -> list[Text]:
    """The texts of an answer without what guards redact in them, for others than the client; none of one that they
    block. Nothing of it is on record: that is for whoever passes the answer on."""
    found = texts.of_answer(answer)
    looking = guarded.engine(exchange)
    if looking is None:
        return found
    verdict = looking.look(
        found,
        Direction.ANSWER,
        replace=guarded.replace(exchange),
        canaries=exchange.canaries,
        system=exchange.system,
        request=exchange.payload,
    )
    if verdict.blocked_by:
        return []
    return [Text(verdict.changed.get(text.place, text.text), text.role, text.place) for text in found]
