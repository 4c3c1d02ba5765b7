"""Has guards look at texts that go to a moderation model: what may not leave may not leave that way either.

Guards that judge are left out: that a text is bad is why it is sent.
"""

from gateway import guarded
from gateway.errors import ContentRefused
from gateway.exchange import Exchange
from gateway.guards.base import Direction, Role, Text
from gateway.plane import Plane
from gateway.wire import moderation


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `guard_outcomes`; where something is redacted, `payload` and `prompt` anew.

    Raises:
        ContentRefused: a guard blocks it. Nothing was sent, and nothing is charged.
    """
    looking = guarded.engine(exchange)
    if looking is None:
        return
    found = [Text(text, Role.USER, place) for place, text in moderation.texts(exchange.payload).items()]
    with guarded.timed(exchange):
        verdict = looking.look(found, Direction.PROMPT, replace=guarded.replace(exchange), judges=False)
    exchange.guard_outcomes += verdict.outcomes
    if verdict.blocked_by:
        raise ContentRefused(verdict.blocked_by, Direction.PROMPT)
    if verdict.changed:
        exchange.payload = moderation.with_texts(exchange.payload, verdict.changed)
        exchange.prompt = moderation.prompt_of(exchange.payload)
