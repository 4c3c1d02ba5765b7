"""A second call, where an answer has not the form that was asked for: whether there may be one, what is held for it,
what is sent, and what the first one took."""

from typing import Any

from gateway.exchange import Call, Exchange
from gateway.guards import output_format
from gateway.guards.json_schema import MESSAGE_MOST_CHARS
from gateway.guards.output_format import Expected, Fault

WORDS_MOST_TOKENS = MESSAGE_MOST_CHARS + 200
"""Tokens of the words with which the model is asked again: no more than their characters."""


def wanted(exchange: Exchange) -> Expected | None:
    """What the answer must be like, where policy has the model asked again otherwise."""
    return output_format.may_retry(exchange.principal.guarding, exchange.payload) if exchange.is_chat else None


def input_most(exchange: Exchange) -> int:
    """Input tokens of the second call at most: those of the first, one of its answers, and what was wrong with it."""
    return exchange.input_tokens + exchange.output_limit + WORDS_MOST_TOKENS


def begin(exchange: Exchange) -> None:
    """Sets aside what the first call took, and what was read of it."""
    produced = exchange.produced
    if exchange.reported is not None:
        exchange.earlier = Call(exchange.reported, service_tier=exchange.service_tier)
    else:
        exchange.earlier = Call(exchange.counted, service_tier=exchange.service_tier, estimated=True)
    exchange.input_estimate += produced.tokens() + WORDS_MOST_TOKENS // 4
    exchange.produced = type(produced)(produced.tokenizer)
    exchange.reported, exchange.service_tier, exchange.answer, exchange.finished = None, "", b"", False


def payload(exchange: Exchange, *, answer: str, fault: Fault) -> dict[str, Any]:
    """The body of the second call."""
    words = f"Your answer cannot be used: {fault.message}. Answer again, and send nothing but the corrected answer."
    turns = [{"role": "assistant", "content": answer}, {"role": "user", "content": words}]
    return {**exchange.payload, "messages": [*exchange.payload["messages"], *turns]}
