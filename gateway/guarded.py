"""What a guard policy does to an exchange: to its whole prompt and answer, and to a streamed one while it passes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from gateway import reversible
from gateway.errors import ContentRefused, UpstreamCut
from gateway.exchange import Exchange
from gateway.guards.base import Direction, Finding, Judged, Role, Terms, Text
from gateway.guards.budget import Budget
from gateway.guards.engine import Engine, engine_of
from gateway.guards.replacing import Replacer
from gateway.guards.verdicts import Verdict
from gateway.wire import plain, texts
from gateway.wire.body import signs_of
from gateway.wire.deltas import Rewriter
from gateway.wire.escapes import Escaped, Strings, TextStream
from gateway.wire.joined import Joined
from gateway.wire.tokens import all_spell
from gateway.wire.twice import has_twice

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

ANSWER_SIGNS_MOST = 1_000_000
"""Commas and brackets: those of 7,000 tokens with 20 others each. More would hold up everybody's requests."""


def engine(exchange: Exchange) -> Engine | None:
    """What looks at the exchange's texts; None where nothing does."""
    guarding = exchange.principal.guarding
    return engine_of(guarding) if guarding is not None and guarding.terms else None


def replace(exchange: Exchange) -> Replacer:
    """What stands for what is redacted in this exchange: the same for the prompt and for the answer."""
    if exchange.replace is None:
        assert exchange.principal.guarding is not None
        exchange.replace = reversible.replacer(exchange, exchange.principal.guarding)
    return exchange.replace


def answer_budget(exchange: Exchange, looking: Engine) -> Budget:
    """What is left to guards for the answer, whoever looks at it, and at however many texts of it."""
    if exchange.guard_budget is None:
        exchange.guard_budget = looking.budget()
    return exchange.guard_budget


@contextmanager
def timed(exchange: Exchange) -> Iterator[None]:
    """Counts what guards take inside of it."""
    began = time.perf_counter()
    try:
        yield
    finally:
        exchange.guard_s += time.perf_counter() - began


def look(exchange: Exchange, found: Sequence[Text], direction: Direction) -> Verdict:
    """What the guards say of all texts of one direction; their outcomes are on record from here on.

    Raises:
        ContentRefused: a guard blocks it.
    """
    looking = engine(exchange)
    if looking is None:
        return Verdict()
    began = time.perf_counter()
    joined = Joined(found)
    system = exchange.system if direction == Direction.ANSWER else ()
    judged = Judged(
        texts=joined.texts,
        direction=direction,
        canaries=exchange.canaries,
        system=system,
        request=exchange.payload,
    )
    if looking.is_quiet(judged):
        exchange.guard_s += time.perf_counter() - began
        return Verdict()
    verdict = looking.look(
        joined.texts,
        direction,
        replace=joined.noting(_within_json(replace(exchange), found)),
        canaries=exchange.canaries,
        system=system,
        request=exchange.payload,
        budget=answer_budget(exchange, looking) if direction == Direction.ANSWER else None,
    )
    exchange.guard_s += time.perf_counter() - began
    verdict.outcomes = joined.once(verdict.outcomes)
    verdict.changed = joined.apart(verdict.changed)
    exchange.guard_outcomes += verdict.outcomes
    if verdict.blocked_by:
        raise ContentRefused(verdict.blocked_by, direction)
    return verdict


def _within_json(instead: Replacer, found: Sequence[Text]) -> Replacer:
    """What stands for a number in JSON that is a text is a string there."""
    strings: dict[str, Strings] = {}

    def quoted(finding: Finding, value: str, terms: Terms) -> str:
        new = instead(finding, value, terms)
        if not texts.is_json(finding.place):
            return new
        if finding.place not in strings:
            strings[finding.place] = Strings(next(text.text for text in found if text.place == finding.place))
        return strings[finding.place].quoted(new, value=value, at=finding.start)

    return quoted


def look_at_answer(exchange: Exchange, body: bytes) -> bytes:
    """A whole answer as it may go out: the same bytes where nothing in it was redacted, and nothing hidden.

    Raises:
        ContentRefused: a guard blocks it.
        UpstreamCut: it cannot be read, or not by guards.
    """
    found = plain.texts_of(body)
    if found is not None:
        verdict = look(exchange, found, Direction.ANSWER)
        return _encode(texts.answer_with(_decode(body), verdict.changed)) if verdict.changed else body
    answer, found = _read(body)
    verdict = look(exchange, found, Direction.ANSWER)
    if verdict.changed:
        return _encode(texts.without_logprobs(texts.answer_with(answer, verdict.changed)))
    if not all_spell(answer.get("choices")):
        return _encode(texts.without_logprobs(answer))
    return _encode(answer) if has_twice(body, answer) else body


def _read(body: bytes) -> tuple[dict[str, Any], list[Text]]:
    """An answer and all of its texts."""
    if signs_of(body) > ANSWER_SIGNS_MOST:
        raise UpstreamCut("The upstream's answer has too many parts for guards to look at.")
    try:
        answer = _decode(body)
        return answer, texts.of_answer(answer)
    except (ValueError, RecursionError) as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error


def passing(exchange: Exchange) -> "Passing | None":
    """What a streamed answer goes through; None where no guard looks."""
    looking = engine(exchange)
    return Passing(exchange, looking) if looking is not None else None


def conclude(exchange: Exchange) -> None:
    """Puts on record what guards found in a stream, however far it came."""
    for stream in exchange.guard_streams:
        exchange.guard_outcomes += stream.outcomes
    exchange.guard_streams = []


class Passing:
    """A streamed answer on its way through the guards, event by event."""

    def __init__(self, exchange: Exchange, looking: Engine) -> None:
        self._exchange = exchange
        self._engine = looking
        self._rewriter = Rewriter(self._begin)
        self._live = looking.live(canaries=exchange.canaries, system=exchange.system)
        self._budget = answer_budget(exchange, looking)

    def events(self, data: Sequence[bytes], *, is_last: bool) -> tuple[list[bytes], ContentRefused | None]:
        """What goes out in place of those events, and why nothing does any more.

        Raises:
            ValueError: an event cannot be read.
        """
        began = time.perf_counter()
        out: list[bytes] = []
        for each in data:
            out += self._rewriter.event(each)
            if self._rewriter.blocked_by:
                break
        if is_last and not self._rewriter.blocked_by:
            out += self._rewriter.finish()
        self._exchange.guard_s += time.perf_counter() - began
        guard = self._rewriter.blocked_by
        return out, ContentRefused(guard, Direction.ANSWER) if guard else None

    def _begin(self, place: str, is_json: bool) -> TextStream:
        exchange, strings = self._exchange, Strings()
        instead = replace(exchange)

        def quoted(finding: Finding, value: str, terms: Terms) -> str:
            return strings.quoted(instead(finding, value, terms), value=value, at=finding.start)

        stream = self._engine.stream(
            role=Role.ASSISTANT,
            place=place,
            replace=quoted if is_json else instead,
            live=self._live,
            budget=self._budget,
        )
        exchange.guard_streams.append(stream)
        return Escaped(stream, strings) if is_json else stream
