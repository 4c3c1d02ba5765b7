"""Asks the ledger for admission: all rates, concurrency and budgets, in one round trip."""

import time

from billing import money
from billing.contracts import MeterKind, MeterSpec
from gateway.errors import BudgetExceeded, RateLimited, Refusal
from gateway.exchange import Exchange
from gateway.hammering import over_rate
from gateway.ledger import Admission
from gateway.plane import Plane
from gateway.tokens import count_tokens
from gateway.wire.prompt import Prompt

# Chat formats wrap each message in a few tokens, and the answer in three (OpenAI cookbook, "How to count tokens").
TOKENS_PER_MESSAGE = 4
TOKENS_PER_ANSWER = 3
MARGIN_PER_MESSAGE = 4
"""What a hold has above the estimate: other formats wrap more."""

TOKENS_PER_IMAGE = 3_000
"""A generous bound (high detail, OpenAI's and Anthropic's own figures stay below); settled at what is reported."""

LEASE_MARGIN_S = 60


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes everything of its part of the exchange: estimate, bounds, hold, lease, standing, `admitted`.

    Raises:
        RateLimited, BudgetExceeded: a meter refuses; nothing is held then.
        Unavailable: the ledger does not answer.
    """
    model = exchange.model
    assert model is not None
    assert exchange.prompt is not None
    exchange.input_estimate = input_estimate(exchange.prompt, tokenizer=model.tokenizer)
    exchange.input_tokens = exchange.input_estimate + MARGIN_PER_MESSAGE * len(exchange.prompt.messages)
    limit = exchange.request.output_limit or exchange.principal.limits.output_tokens_cap
    exchange.lease_s = int(max(route.connect_timeout_s + route.total_timeout_s for route in exchange.routes)) + 1
    exchange.output_tokens = limit * (exchange.request.n or 1)
    exchange.hold_nano = max(
        money.hold_nano(input_tokens=exchange.input_tokens, output_tokens=exchange.output_tokens, rates=route.rates)
        for route in exchange.routes
    )
    standing = exchange.standing = await plane.ledger.admit(_admission(exchange))
    if standing.refused_by is not None:
        plane.hammering.remember(exchange.principal, exchange.principal.meters, standing)
        raise refusal(standing.refused_by, wait_ms=standing.wait_ms, exchange=exchange)
    exchange.admitted = True


def input_estimate(prompt: Prompt, *, tokenizer: str) -> int:
    """About how many tokens the prompt takes: its texts counted, images and what is opaque bounded."""
    texts = [text for texts in prompt.messages for text in texts]
    counted = count_tokens("\n".join([*texts, *prompt.extras]), tokenizer)
    framed = counted + len(prompt.messages) * TOKENS_PER_MESSAGE + TOKENS_PER_ANSWER
    return framed + prompt.images * TOKENS_PER_IMAGE + prompt.opaque_bytes


def refusal(meter: MeterSpec, *, wait_ms: int, exchange: Exchange) -> Refusal:
    """What a refusing meter becomes for the client."""
    wait = wait_ms if wait_ms >= 0 else None
    if meter.kind == MeterKind.BUDGET:
        resets_at = _time_after(wait) if wait is not None else None
        return BudgetExceeded(_budget_message(meter, resets_at, exchange), resets_at=resets_at)
    if meter.kind == MeterKind.CONCURRENCY:
        return RateLimited(f"Too many {meter.label}: at most {meter.limit}.", wait_ms=wait)
    if wait is None:
        wanted = exchange.input_tokens + exchange.output_tokens
        return RateLimited(
            f"The request may take {wanted} tokens, more than the limit of {meter.limit} {meter.label}. "
            "Ask for fewer with max_tokens.",
            wait_ms=None,
        )
    return over_rate(meter, wait_ms=wait)


def _time_after(wait_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + wait_ms / 1000))


def _budget_message(meter: MeterSpec, resets_at: str | None, exchange: Exchange) -> str:
    left = money.show(_left_of(meter, exchange))
    message = (
        f"The request may cost {money.show(exchange.hold_nano)}, but of the budget '{meter.label}' only {left} of "
        f"{money.show(meter.limit)} is left. Ask for fewer tokens with max_tokens"
    )
    return f"{message}, or wait until it resets at {resets_at}." if resets_at else f"{message}."


def _left_of(meter: MeterSpec, exchange: Exchange) -> int:
    assert exchange.standing is not None
    return exchange.standing.remaining[exchange.principal.meters.index(meter)]


def _admission(exchange: Exchange) -> Admission:
    return Admission(
        request_id=exchange.request_id,
        tenant_id=exchange.principal.tenant_id,
        cost_nano=exchange.hold_nano,
        tokens=exchange.input_tokens + exchange.output_tokens,
        lease_s=exchange.lease_s + LEASE_MARGIN_S,
        context=_context(exchange),
        meters=exchange.principal.meters,
    )


def _context(exchange: Exchange) -> dict[str, object]:
    """The usage record of a request whose process is lost."""
    principal = exchange.principal
    return {
        "application_id": principal.application_id,
        "api_key_id": principal.key_id,
        "environment": principal.environment,
        "model": exchange.request.model,
        "provider": exchange.routes[0].provider,
        "upstream_model": exchange.routes[0].upstream_model,
        "streamed": exchange.streamed,
        "input_tokens": exchange.input_tokens,
        "output_tokens": exchange.output_tokens,
    }
