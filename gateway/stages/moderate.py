"""Has a moderation model look at the texts of a request, and of its answer, where policy wants that."""

from collections.abc import Sequence

import msgspec
import structlog

from gateway import answers_judged
from gateway.errors import ContentRefused
from gateway.exchange import Exchange
from gateway.guards import moderation
from gateway.guards.base import Action, Direction, Terms, Text
from gateway.guards.moderation import ModerationFailed
from gateway.plane import Plane
from gateway.wire import texts

_decode = msgspec.json.Decoder().decode

log = structlog.get_logger("gateway.moderation")


async def prompt(exchange: Exchange, plane: Plane) -> None:
    """Writes more of `guard_outcomes`. What is sent is what the other guards have left of the prompt.

    Raises:
        ContentRefused: a category is over its threshold and policy blocks that, or the model did not answer. Nothing
            was sent to the upstream, and nothing is charged.
    """
    terms = _terms(exchange, Direction.PROMPT)
    if terms is not None:
        await _look(exchange, plane, terms, texts.of_request(exchange.payload), Direction.PROMPT)


async def answer(exchange: Exchange, plane: Plane) -> None:
    """Writes more of `guard_outcomes`: of a whole answer, of a stream that was kept back, or of one that has ended.

    Raises:
        ContentRefused: as of a prompt. The answer is charged.
    """
    terms = _terms(exchange, Direction.ANSWER)
    if terms is None:
        return
    found = _texts(exchange)
    try:
        await _look(exchange, plane, terms, found, Direction.ANSWER)
    except ContentRefused:
        exchange.outgoing = b""
        raise


def _texts(exchange: Exchange) -> Sequence[Text]:
    """Those of the answer as guards let it pass; none of a stream that is still to come."""
    if not exchange.streamed:
        return texts.of_answer(_decode(exchange.outgoing))
    events = exchange.first_events if exchange.kept_back else exchange.events
    return answers_judged.redacted(exchange, answers_judged.whole(events)) if events else ()


def _terms(exchange: Exchange, direction: Direction) -> Terms | None:
    guarding = exchange.principal.guarding
    terms = guarding.of(moderation.NAME) if guarding is not None else None
    return terms if terms is not None and direction in terms.directions else None


async def _look(exchange: Exchange, plane: Plane, terms: Terms, found: Sequence[Text], direction: Direction) -> None:
    own = [text for text in found if moderation.is_asked_about(text, terms, direction)]
    if not own:
        return
    guarding = exchange.principal.guarding
    assert guarding is not None
    asked = moderation.asking(terms)
    try:
        with plane.in_hand.one_less:
            results = await plane.moderating.ask([text.text for text in own], asked, key=guarding.key)
    except ModerationFailed as failure:
        log.warning("a moderation model did not answer", model=asked.model, reason=failure.reason)
        outcomes = [moderation.failed(terms, direction, failure)]
    else:
        outcomes = [
            outcome
            for text, result in zip(own, results, strict=True)
            for outcome in moderation.outcomes(terms, direction, text, result)
        ]
    exchange.guard_outcomes += outcomes
    if any(each.action == Action.BLOCK for each in outcomes):
        raise ContentRefused(moderation.NAME, direction)
