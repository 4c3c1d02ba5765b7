"""Asks the ledger for admission: all rates, concurrency and budgets, in one round trip."""

import time

from billing import charging, money
from billing.charging import Facts
from billing.contracts import MeterKind, MeterSet, MeterSpec
from gateway import answers_judged, asking_again, pricing
from gateway.allowance import SLICE_TOKENS
from gateway.errors import BudgetExceeded, RateLimited, Refusal
from gateway.exchange import Exchange
from gateway.hammering import over_rate
from gateway.ledger import Admission, Standing
from gateway.plane import Plane
from gateway.routing import ModelRoutes, Route
from gateway.tokens import count_tokens
from gateway.wire.prompt import Prompt

# Chat formats wrap each message in a few tokens, and the answer in three (OpenAI cookbook, "How to count tokens").
TOKENS_PER_MESSAGE = 4
TOKENS_PER_ANSWER = 3
MARGIN_PER_MESSAGE = 4
"""What a hold has above the estimate: other formats wrap more."""

LEASE_MARGIN_S = 60


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes everything of its part of the exchange: meters, estimate, bounds, hold, lease, standing, `admitted`.

    Where only budgets that downgrade refuse, it asks again for the cheaper model that they name, and writes `model` and
    `routes` anew.

    Raises:
        RateLimited, BudgetExceeded: a meter refuses; nothing is held then.
        Unavailable: the ledger does not answer.
    """
    lenient: frozenset[str] = frozenset()
    tried = {exchange.request.model}
    while True:
        _bound(exchange)
        exchange.meters = _meters(exchange, lenient)
        standing = exchange.standing = await _ask(exchange, plane)
        if standing.refused_by is None:
            break
        full = _downgrading(exchange, standing)
        cheaper = await _cheaper(exchange, plane, full, tried)
        if cheaper is None:
            plane.hammering.remember(exchange.principal, standing)
            raise refusal(standing.refused_by, wait_ms=standing.wait_ms, exchange=exchange)
        exchange.model, exchange.routes = cheaper
        tried.add(cheaper[0].name)
        lenient |= {spec.name for spec in full}
    exchange.over_budget = exchange.exceeded(cost_nano=1)
    exchange.admitted = True


def _bound(exchange: Exchange) -> None:
    """Writes how much the request may take and cost at the model that is to answer."""
    model, prompt, chat = exchange.served, exchange.prompt, exchange.request
    assert prompt is not None
    exchange.input_estimate = input_estimate(prompt, model=model)
    exchange.input_tokens = exchange.input_estimate + MARGIN_PER_MESSAGE * len(prompt.messages)
    if exchange.unbounded:
        exchange.input_tokens = max(model.context_tokens or 0, exchange.input_tokens)
    choices, exchange.calls_held = chat.n or 1, 1
    cap = exchange.principal.limits.output_tokens_cap
    exchange.output_limit = (chat.output_limit or cap) if exchange.is_chat else 0
    exchange.output_most = exchange.output_limit * choices
    exchange.output_tokens = exchange.output_most
    if _is_sliced(exchange):
        exchange.output_tokens = min(SLICE_TOKENS * choices, exchange.output_most)
    exchange.lease_s = int(max(route.connect_timeout_s + route.total_timeout_s for route in exchange.routes)) + 1
    exchange.hold_nano = _hold_nano(exchange, input_tokens=exchange.input_tokens)
    if asking_again.wanted(exchange) is not None:
        _bound_again(exchange)


def _is_sliced(exchange: Exchange) -> bool:
    """Whether the hold is extended while the answer streams, instead of covering all of it."""
    if not exchange.streamed or exchange.request.output_limit is not None or exchange.served.hidden_reasoning:
        return False
    return not answers_judged.is_kept_back(exchange)


def _bound_again(exchange: Exchange) -> None:
    """Adds what a second call may take and cost."""
    input_tokens = asking_again.input_most(exchange)
    exchange.calls_held = 2
    exchange.hold_nano += _hold_nano(exchange, input_tokens=input_tokens)
    exchange.input_tokens += input_tokens
    exchange.output_most *= 2
    exchange.output_tokens *= 2
    exchange.lease_s *= 2


def _hold_nano(exchange: Exchange, *, input_tokens: int) -> int:
    return max(
        pricing.hold_nano(route, exchange.request, input_tokens=input_tokens, output_tokens=exchange.output_tokens)
        for route in exchange.routes
    )


def _meters(exchange: Exchange, lenient: frozenset[str]) -> MeterSet:
    """What the request is charged to; `lenient` are the budgets because of which it is answered by a cheaper model."""
    facts = Facts(model=exchange.served.name, end_user=exchange.end_user, tags=exchange.tags)
    meters = exchange.principal.charging.of(facts)
    return charging.without_refusal(meters, budgets=lenient) if lenient else meters


async def _ask(exchange: Exchange, plane: Plane) -> Standing:
    """The ledger's answer. A separate meter that would be one too many gives way to the one for all such values."""
    missing = set()
    while True:
        standing = await plane.ledger.admit(_admission(exchange))
        if standing.no_room_for is None:
            return standing
        name = standing.no_room_for.name
        if name in missing:  # not only tidied away in that very moment
            exchange.meters = charging.shared(exchange.meters, name=name)
        missing.add(name)


def _downgrading(exchange: Exchange, standing: Standing) -> list[MeterSpec]:
    """The budgets that would have the request answered by a cheaper model, as they have no room for it."""
    states = zip(standing.meters.specs, standing.remaining, strict=True)
    return [spec for spec, left in states if spec.downgrade_to and not spec.soft and left < exchange.hold_nano]


async def _cheaper(
    exchange: Exchange, plane: Plane, full: list[MeterSpec], tried: set[str]
) -> tuple[ModelRoutes, tuple[Route, ...]] | None:
    """The model that the first of those budgets names, if it can answer and was not tried yet."""
    for spec in full:
        model = (await plane.snapshots.routes()).models.get(spec.downgrade_to)
        if model is None or model.name in tried or not exchange.principal.may_use(model.name):
            continue
        routes = pricing.priced(model, exchange.request)
        if isinstance(routes, tuple) and not (exchange.unbounded and model.context_tokens is None):
            return model, routes
    return None


def input_estimate(prompt: Prompt, *, model: ModelRoutes) -> int:
    """About how many tokens the prompt takes: its texts counted, images bounded, what is opaque by its bytes."""
    texts = [text for texts in prompt.messages for text in texts]
    counted = count_tokens("\n".join([*texts, *prompt.extras]), model.tokenizer)
    framed = counted + len(prompt.messages) * TOKENS_PER_MESSAGE + TOKENS_PER_ANSWER
    return framed + prompt.images * model.image_tokens_most + prompt.opaque_bytes


def refusal(meter: MeterSpec, *, wait_ms: int, exchange: Exchange) -> Refusal:
    """What a refusing meter becomes for the client."""
    wait = wait_ms if wait_ms >= 0 else None
    if meter.kind == MeterKind.BUDGET:
        resets_at = _resets_at(meter, exchange)
        return BudgetExceeded(_budget_message(meter, resets_at, exchange), resets_at=resets_at)
    if meter.kind == MeterKind.CONCURRENCY:
        return RateLimited(f"Too many {meter.label}: at most {meter.limit}.", wait_ms=wait)
    if wait is None:
        wanted = {
            MeterKind.INPUT_TOKENS: exchange.input_tokens,
            MeterKind.OUTPUT_TOKENS: exchange.output_tokens,
        }.get(meter.kind, exchange.input_tokens + exchange.output_tokens)
        return RateLimited(
            f"The request may take {wanted} tokens, more than the limit of {meter.limit} {meter.label}. "
            "Ask for fewer with max_tokens.",
            wait_ms=None,
        )
    return over_rate(meter, wait_ms=wait)


def _time_after(wait_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + wait_ms / 1000))


def _budget_message(meter: MeterSpec, resets_at: str | None, exchange: Exchange) -> str:
    """What to do: where nothing is left, only waiting helps, and where the whole limit is too little, it does not."""
    left, limit, cost = _left_of(meter, exchange), money.show(meter.limit), money.show(exchange.hold_nano)
    later = f" It resets at {resets_at}." if resets_at else ""
    if left == 0:
        return f"The budget '{meter.label}' of {limit} is used up.{later}"
    if exchange.hold_nano > meter.limit:
        return (
            f"The request may cost {cost}, more than the whole budget '{meter.label}' of {limit}. Ask for fewer tokens "
            "with max_tokens."
        )
    return (
        f"The request may cost {cost}, but of the budget '{meter.label}' only {money.show(left)} of {limit} is left. "
        f"Ask for fewer tokens with max_tokens.{later}"
    )


def _resets_at(meter: MeterSpec, exchange: Exchange) -> str | None:
    """When the budget begins anew, if it ever does."""
    assert exchange.standing is not None
    resets_ms = exchange.standing.resets_ms[exchange.meters.specs.index(meter)]
    return _time_after(resets_ms) if resets_ms >= 0 else None


def _left_of(meter: MeterSpec, exchange: Exchange) -> int:
    assert exchange.standing is not None
    return max(exchange.standing.remaining[exchange.meters.specs.index(meter)], 0)


def _admission(exchange: Exchange) -> Admission:
    return Admission(
        request_id=exchange.request_id,
        tenant_id=exchange.principal.tenant_id,
        cost_nano=exchange.hold_nano,
        input_tokens=exchange.input_tokens,
        output_tokens=exchange.output_tokens,
        lease_s=exchange.lease_s + LEASE_MARGIN_S,
        context=_context(exchange),
        meters=exchange.meters,
    )


def _context(exchange: Exchange) -> dict[str, object]:
    """The usage record of a request whose process is lost."""
    principal = exchange.principal
    return {
        "application_id": principal.application_id,
        "api_key_id": principal.key_id,
        "environment": principal.environment,
        "model": exchange.request.model,
        "served_model": exchange.served.name if exchange.downgraded else "",
        "end_user": exchange.end_user,
        "tags": exchange.tags,
        "service_tier": exchange.request.service_tier or "",
        "provider": exchange.routes[0].provider,
        "upstream_model": exchange.routes[0].upstream_model,
        "streamed": exchange.streamed,
        "input_tokens": exchange.input_tokens,
        "output_tokens": exchange.output_tokens,
    }
