"""Asks the ledger for admission: all rates, concurrency and budgets, in one round trip."""

import time

import msgspec

from billing import money
from billing.contracts import MeterKind, MeterSpec
from gateway.errors import BudgetExceeded, RateLimited, Refusal
from gateway.exchange import Exchange
from gateway.ledger import Admission
from gateway.plane import Plane
from gateway.tokens import count_tokens
from gateway.wire.chat import ChatRequest

# Chat formats wrap each message in a few tokens, and the answer in three (OpenAI cookbook: 3 to 4 per message).
TOKENS_PER_MESSAGE = 8
TOKENS_PER_ATTACHMENT = 3_000
"""A generous bound for one image (high detail, OpenAI's and Anthropic's own figures stay below); settled exactly."""

LEASE_MARGIN_S = 60
REMEMBERED_S = 1.0


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `input_tokens` and `output_tokens` (bounds), `lease_s`, `standing` and `admitted`.

    Raises:
        RateLimited, BudgetExceeded: a meter refuses; nothing is held then.
        Unavailable: the ledger does not answer.
    """
    _refuse_as_before(exchange, plane)
    model = exchange.model
    assert model is not None
    exchange.input_tokens = input_bound(exchange.request, tokenizer=model.tokenizer)
    limit = exchange.request.output_limit or exchange.principal.limits.output_tokens_cap
    exchange.lease_s = int(max(route.connect_timeout_s + route.total_timeout_s for route in exchange.routes)) + 1
    exchange.output_tokens = limit * (exchange.request.n or 1)
    standing = exchange.standing = await plane.ledger.admit(_admission(exchange))
    if standing.refused_by is not None:
        if standing.refused_by.kind == MeterKind.REQUESTS:
            _remember(exchange, plane)
        raise refusal(standing.refused_by, wait_ms=standing.wait_ms, exchange=exchange)
    exchange.admitted = True


def input_bound(chat: ChatRequest, *, tokenizer: str) -> int:
    """How many tokens the prompt may take: its texts and schemas counted, a bound for what is not text."""
    texts = [text for message in chat.messages for text in message.texts()]
    extras = [extra for extra in (chat.tools, chat.response_format) if extra]
    texts.extend(msgspec.json.encode(extra).decode() for extra in extras)
    attachments = sum(message.attachments() for message in chat.messages)
    counted = count_tokens("\n".join(texts), tokenizer)
    return counted + len(chat.messages) * TOKENS_PER_MESSAGE + attachments * TOKENS_PER_ATTACHMENT


def refusal(meter: MeterSpec, *, wait_ms: int, exchange: Exchange) -> Refusal:
    """What a refusing meter becomes for the client."""
    wait = wait_ms if wait_ms >= 0 else None
    if meter.kind == MeterKind.BUDGET:
        resets_at = _time_after(wait) if wait is not None else None
        return BudgetExceeded(_budget_message(meter, resets_at), resets_at=resets_at)
    if meter.kind == MeterKind.CONCURRENCY:
        return RateLimited(f"Too many {meter.label}: at most {meter.limit}.", wait_ms=wait)
    if wait is None:
        wanted = exchange.input_tokens + exchange.output_tokens
        return RateLimited(
            f"The request may take {wanted} tokens, more than the limit of {meter.limit} {meter.label}. "
            "Ask for fewer with max_tokens.",
            wait_ms=None,
        )
    return RateLimited(f"Rate limit reached: {meter.limit} {meter.label}. Retry in {wait / 1000:.3f} s.", wait_ms=wait)


def _time_after(wait_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + wait_ms / 1000))


def _budget_message(meter: MeterSpec, resets_at: str | None) -> str:
    limit = money.show(meter.limit)
    if resets_at is None:
        return f"The request may cost more than is left of the budget '{meter.label}' ({limit})."
    return f"The budget '{meter.label}' ({limit} per {meter.period}) is used up. It resets at {resets_at}."


def _admission(exchange: Exchange) -> Admission:
    dearest = max(
        money.hold_nano(input_tokens=exchange.input_tokens, output_tokens=exchange.output_tokens, rates=route.rates)
        for route in exchange.routes
    )
    return Admission(
        request_id=exchange.request_id,
        tenant_id=exchange.principal.tenant_id,
        cost_nano=dearest,
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


# A client that hammers while its rate is used up is answered from memory, for at most a second, and only as long as
# the same policy holds: a changed limit makes another principal.


def _remember(exchange: Exchange, plane: Plane) -> None:
    standing = exchange.standing
    assert standing is not None
    until = time.monotonic() + standing.wait_ms / 1000
    plane.refused[exchange.principal.key_id] = (exchange.principal, standing, until, time.monotonic() + REMEMBERED_S)


def _refuse_as_before(exchange: Exchange, plane: Plane) -> None:
    remembered = plane.refused.get(exchange.principal.key_id)
    if remembered is None:
        return
    principal, standing, until, forget_at = remembered
    now = time.monotonic()
    if principal is not exchange.principal or now >= min(until, forget_at):
        del plane.refused[exchange.principal.key_id]
        return
    exchange.standing = standing
    assert standing.refused_by is not None
    raise refusal(standing.refused_by, wait_ms=int((until - now) * 1000) + 1, exchange=exchange)
