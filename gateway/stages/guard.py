"""Has guards look at all that a request sends: before anything is held for it, and before anybody else reads it."""

from billing.charging import TAG_VALUE_LENGTH
from gateway import guarded, reversible
from gateway.exchange import Exchange
from gateway.guards import framing
from gateway.guards.base import Direction, Role
from gateway.plane import Plane
from gateway.wire import texts
from gateway.wire.prompt import prompt_of


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `guard_outcomes`, `system` and `canaries`; where texts change, `payload`, `prompt` and `tags` anew.

    Raises:
        ContentRefused: a guard blocks the prompt. Nothing was sent, and nothing is charged.
    """
    if guarded.engine(exchange) is None:
        return
    found = texts.of_request(exchange.payload)
    exchange.system = tuple(text.text for text in found if text.role == Role.SYSTEM)
    verdict = guarded.look(exchange, found, Direction.PROMPT)
    await reversible.recall(exchange, plane)
    if verdict.changed:
        exchange.payload = texts.request_with(exchange.payload, verdict.changed)
        exchange.prompt = prompt_of(exchange.payload)
        exchange.redacted = True
        metadata = exchange.payload.get("metadata") or {}
        exchange.tags = {tag: metadata[tag][:TAG_VALUE_LENGTH] for tag in exchange.tags if tag in metadata}
    _frame(exchange)


def _frame(exchange: Exchange) -> None:
    """Adds what policy has the gateway add to the prompt: a canary, and marks around what tools returned."""
    guarding = exchange.principal.guarding
    assert guarding is not None
    messages = exchange.payload["messages"]
    found = framing.framed(messages, guarding)
    if found.messages is messages:
        return
    exchange.payload = {**exchange.payload, "messages": found.messages}
    exchange.prompt = prompt_of(exchange.payload)
    exchange.canaries = found.canaries
    exchange.redacted = True  # what is kept on record is what went upstream
