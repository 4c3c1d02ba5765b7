"""Turns the hold into what the request really cost, with its usage record, in one transaction of the ledger."""

import time

from billing import money
from billing.money import Tokens
from gateway.exchange import Exchange
from gateway.ledger import Settlement
from gateway.tokens import BYTES, count_tokens

ESTIMATED_WITH = "o200k_base"
"""Counts answers of models whose own tokenizer is not known, when their upstream reports nothing."""


def run(exchange: Exchange) -> Settlement:
    """Writes `tokens`, `cost_nano` and `estimated`; returns what the ledger is told."""
    exchange.tokens, exchange.estimated = _used(exchange)
    if exchange.route is not None and exchange.tokens != Tokens():
        exchange.cost_nano = money.cost_nano(exchange.tokens, exchange.route.rates)
    return Settlement(
        request_id=exchange.request_id,
        cost_nano=exchange.cost_nano,
        tokens=exchange.tokens.total,
        record=_record(exchange),
    )


def _used(exchange: Exchange) -> tuple[Tokens, bool]:
    """What was used, and whether that was counted here: upstream's own count is authoritative where there is one."""
    if exchange.reported is not None:
        return exchange.reported, False
    if exchange.upstream is None and not exchange.may_be_billed:
        return Tokens(), False
    assert exchange.model is not None
    encoding = exchange.model.tokenizer if exchange.model.tokenizer != BYTES else ESTIMATED_WITH
    output = count_tokens("".join(exchange.produced), encoding)
    return Tokens(input=exchange.input_tokens, output=output), True


def _record(exchange: Exchange) -> dict[str, object]:
    principal, route, tokens = exchange.principal, exchange.route, exchange.tokens
    return {
        "application_id": principal.application_id,
        "api_key_id": principal.key_id,
        "environment": principal.environment,
        "model": exchange.request.model,
        "provider": route.provider if route else "",
        "upstream_model": route.upstream_model if route else "",
        "outcome": exchange.outcome,
        "code": exchange.code,
        "status": exchange.status,
        "streamed": exchange.streamed,
        "input_tokens": tokens.input,
        "cached_input_tokens": tokens.cached_input,
        "cache_write_tokens": tokens.cache_write,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
        "estimated": exchange.estimated,
        "latency_ms": int((time.perf_counter() - exchange.started) * 1000),
        "first_token_ms": _first_token_ms(exchange),
        "overhead_us": int(exchange.overhead_s * 1e6),
    }


def _first_token_ms(exchange: Exchange) -> int | None:
    """Of a stream: how long its client waited for the first piece."""
    if exchange.answered_at is None or not exchange.streamed:
        return None
    return int((exchange.answered_at - exchange.started) * 1000)
