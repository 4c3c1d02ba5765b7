"""Headers of answers: how the key stands with its limits, in OpenAI's names and durations, and the gateway's own."""

import time

from msgspec.structs import replace

from billing import money
from billing.contracts import TOKEN_KINDS, MeterKind
from gateway.exchange import Exchange
from gateway.ledger import Standing

_REQUESTS = frozenset({MeterKind.REQUESTS})


def of_exchange(exchange: Exchange) -> dict[str, str]:
    """Everything that is known of an exchange when its answer, or its refusal, begins."""
    headers = {"openai-processing-ms": str(int((time.perf_counter() - exchange.started) * 1000))}
    if exchange.standing is not None:
        headers.update(of_standing(_as_it_is_now(exchange, exchange.standing)))
    if exchange.route is not None:
        headers["x-portcullis-model"] = exchange.route.name
        if exchange.downgraded:
            headers["x-portcullis-downgraded-to"] = exchange.served.name
        if exchange.over_budget:
            headers["x-portcullis-over-budget"] = _as_header(exchange.over_budget)
        headers["x-portcullis-overhead-ms"] = f"{exchange.overhead_s * 1000:.1f}"
        if not exchange.streamed:
            headers["x-portcullis-cost"] = f"{money.to_dollars(exchange.cost_nano):f}"
    return headers


def _as_it_is_now(exchange: Exchange, standing: Standing) -> Standing:
    """After a whole answer its hold is settled: what it did not need is free again."""
    if not exchange.admitted or exchange.streamed:
        return standing
    freed = {
        MeterKind.BUDGET: exchange.hold_nano - exchange.cost_nano,
        MeterKind.TOKENS: exchange.input_tokens + exchange.output_tokens - exchange.tokens.total,
        MeterKind.INPUT_TOKENS: exchange.input_tokens - exchange.tokens.input,
        MeterKind.OUTPUT_TOKENS: exchange.output_tokens - exchange.tokens.output,
    }
    states = zip(standing.meters.specs, standing.remaining, strict=True)
    return replace(standing, remaining=tuple(max(left + freed.get(meter.kind, 0), 0) for meter, left in states))


def of_standing(standing: Standing) -> dict[str, str]:
    """What is left of the tightest request rate, of the token rate, and of the tightest hard budget."""
    headers: dict[str, str] = {}
    states = list(zip(standing.meters.specs, standing.remaining, standing.resets_ms, strict=True))
    for kinds, name in ((_REQUESTS, "requests"), (TOKEN_KINDS, "tokens")):
        rates = [state for state in states if state[0].kind in kinds]
        if rates:
            meter, remaining, reset_ms = min(rates, key=lambda state: state[1])
            headers[f"x-ratelimit-limit-{name}"] = str(meter.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(remaining)
            headers[f"x-ratelimit-reset-{name}"] = duration(reset_ms)
    budgets = [left for meter, left, _ in states if meter.kind == MeterKind.BUDGET and not meter.soft]
    if budgets:
        headers["x-portcullis-budget-remaining"] = f"{money.to_dollars(max(min(budgets), 0)):f}"
    return headers


def _as_header(label: str) -> str:
    """A label as a header can carry it: RFC 9110 leaves only visible ASCII and spaces."""
    return "".join(c if " " <= c <= "~" else "?" for c in label)


def duration(milliseconds: int) -> str:
    """As OpenAI writes it: `12ms`, `1.5s`, `6m0s`, `1h30m0s`."""
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, left_ms = divmod(milliseconds, 60_000)
    seconds = f"{left_ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if minutes == 0:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"
