"""Turns the hold into what the request really cost, with its usage record, in one transaction of the ledger."""

import time
from dataclasses import replace

from billing.money import Tokens
from gateway import pricing
from gateway.exchange import Exchange
from gateway.ledger import Settlement

FASTEST_TOKENS_PER_S = 500
"""Of one choice; above what large models write, so that nobody gains by leaving."""

COUNTED_BYTES = 2_000_000
"""Beyond it, counting would hold up everybody else."""


def run(exchange: Exchange) -> Settlement:
    """Writes `tokens`, `cost_nano`, `estimated` and `over_budget`; returns what the ledger is told."""
    exchange.tokens, exchange.estimated = _used(exchange)
    if exchange.route is not None and exchange.tokens != Tokens():
        exchange.cost_nano = pricing.cost_nano(
            exchange.route, exchange.request, exchange.tokens, served_tier=exchange.service_tier
        )
    _add_earlier(exchange)
    exchange.over_budget = exchange.exceeded(cost_nano=exchange.cost_nano) or exchange.over_budget
    return Settlement(
        request_id=exchange.request_id,
        cost_nano=exchange.cost_nano,
        input_tokens=exchange.tokens.input,
        output_tokens=exchange.tokens.output,
        record=_record(exchange),
    )


def _add_earlier(exchange: Exchange) -> None:
    """Charges an earlier call of the exchange beside its last one, each with its own fee."""
    earlier, route = exchange.earlier, exchange.route
    if earlier is None or route is None:
        return
    exchange.cost_nano += pricing.cost_nano(route, exchange.request, earlier.tokens, served_tier=earlier.service_tier)
    exchange.tokens = exchange.tokens.plus(earlier.tokens)
    exchange.estimated |= earlier.estimated


def _used(exchange: Exchange) -> tuple[Tokens, bool]:
    """What was used, and whether that was counted here: upstream's own count is authoritative where there is one."""
    reported = exchange.reported
    if reported is not None and (exchange.outcome == "completed" or exchange.answer):
        return reported, False
    if not _is_billed(exchange):
        return Tokens(), False
    produced = _produced(exchange)
    if reported is None:
        return Tokens(input=exchange.input_estimate, output=produced), True
    if exchange.outcome == "over_budget":  # what came beyond was not passed on, and nothing is left to pay it with
        return replace(reported, output=min(reported.output, exchange.output_tokens)), True
    # It broke off after a report: what came after that report was not in it.
    return replace(reported, output=max(reported.output, produced)), reported.output < produced


def _is_billed(exchange: Exchange) -> bool:
    """Whether the upstream may have worked: an answer had begun that was no error, or contact was lost meanwhile."""
    began = exchange.upstream is not None and exchange.outcome != "upstream_error"
    return began or exchange.may_be_billed


def _produced(exchange: Exchange) -> int:
    """Output tokens that passed through here, of the last call; never more than were held for it.

    Of a whole answer that its client did not wait for nothing is known but the time that the upstream had, and so it is
    with reasoning that is not shown. It counts as what could be written in that time: otherwise, leaving just before
    the answer would make it free.
    """
    held = exchange.output_tokens // exchange.calls_held
    if exchange.outcome == "client_left" and not exchange.streamed:
        return min(_writable(exchange, until=time.perf_counter()), held)
    hidden = 0
    if exchange.served.hidden_reasoning and exchange.streamed and exchange.sent_at is not None:
        hidden = _writable(exchange, until=exchange.produced.began_at or time.perf_counter())
    if exchange.produced.bytes_most > COUNTED_BYTES:
        return held
    return min(hidden + exchange.produced.tokens(), held)


def _writable(exchange: Exchange, *, until: float) -> int:
    """Output tokens that the upstream could have written by then."""
    assert exchange.sent_at is not None
    choices = exchange.request.n or 1
    return int((until - (exchange.again_at or exchange.sent_at)) * FASTEST_TOKENS_PER_S * choices)


def _record(exchange: Exchange) -> dict[str, object]:
    principal, route, tokens = exchange.principal, exchange.route, exchange.tokens
    return {
        "application_id": principal.application_id,
        "api_key_id": principal.key_id,
        "environment": principal.environment,
        "model": exchange.request.model,
        "served_model": exchange.served.name if exchange.downgraded else "",
        "end_user": exchange.end_user,
        "tags": exchange.tags,
        "service_tier": exchange.service_tier or exchange.request.service_tier or "",
        "over_budget": bool(exchange.over_budget),
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
