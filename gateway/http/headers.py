"""Headers of answers: how the key stands with its limits, in OpenAI's names and durations, and the gateway's own."""

import time
from collections.abc import Mapping

from billing import money
from billing.contracts import MeterKind
from gateway.exchange import Exchange
from gateway.ledger import Standing

_AS_IT_WAS: Mapping[MeterKind, int] = {}


def of_exchange(exchange: Exchange) -> dict[str, str]:
    """Everything that is known of an exchange when its answer, or its refusal, begins."""
    headers = {"openai-processing-ms": str(int((time.perf_counter() - exchange.started) * 1000))}
    if exchange.gpc:
        headers["x-portcullis-gpc"] = "honoured"
    if exchange.standing is not None:
        headers.update(of_standing(exchange.standing, freed=_freed(exchange)))
    if exchange.route is not None:
        headers["x-portcullis-model"] = exchange.route.name
        if exchange.downgraded:
            headers["x-portcullis-downgraded-to"] = exchange.served.name
        if exchange.over_budget:
            headers["x-portcullis-over-budget"] = _as_header(exchange.over_budget)
        headers["x-portcullis-overhead-ms"] = f"{exchange.overhead_s * 1000:.1f}"
        if not exchange.streamed:
            headers["x-portcullis-cost"] = money.plain(exchange.cost_nano)
    return headers


def _freed(exchange: Exchange) -> Mapping[MeterKind, int]:
    """After a whole answer its hold is settled: what it did not need is free again."""
    if not exchange.admitted or exchange.streamed:
        return _AS_IT_WAS
    input_freed = exchange.input_tokens - exchange.tokens.input
    output_freed = exchange.output_tokens - exchange.tokens.output
    return {
        MeterKind.BUDGET: exchange.hold_nano - exchange.cost_nano,
        MeterKind.TOKENS: input_freed + output_freed,
        MeterKind.INPUT_TOKENS: input_freed,
        MeterKind.OUTPUT_TOKENS: output_freed,
    }


def of_standing(standing: Standing, *, freed: Mapping[MeterKind, int] = _AS_IT_WAS) -> dict[str, str]:
    """What is left of the tightest rates of requests and tokens, and of the tightest hard budget; `freed` is
    what has become free since, by kind."""
    headers: dict[str, str] = {}
    meters, remaining = standing.meters, standing.remaining
    for numbers, name in ((meters.requests, "requests"), (meters.tokens, "tokens")):
        if numbers:
            left, number = min([(remaining[n] + freed.get(meters.specs[n].kind, 0), n) for n in numbers])
            headers[f"x-ratelimit-limit-{name}"] = str(meters.specs[number].limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(max(left, 0))
            headers[f"x-ratelimit-reset-{name}"] = duration(standing.resets_ms[number])
    if meters.hard_budgets:
        least = min([remaining[n] for n in meters.hard_budgets]) + freed.get(MeterKind.BUDGET, 0)
        headers["x-portcullis-budget-remaining"] = money.plain(max(least, 0))
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
