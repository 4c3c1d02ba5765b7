"""Two weeks of requests that could have been: busy on weekdays, quiet at night, now and then refused. Pure.

The same for the same moment: all chance comes from one seeded generator.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from billing.money import Rates, Tokens, cost_nano

DAYS = 14
BUSY = (1, 1, 1, 1, 1, 2, 6, 20, 55, 85, 100, 95, 75, 85, 95, 90, 80, 60, 35, 20, 12, 8, 4, 2)
"""How busy each hour of a working day is, by the tenant's clock; 100 is the busiest."""
WEEKEND = 0.3
MS_PER_TOKEN = {"sandbox-small": 9.0, "sandbox-large": 19.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What an application does: requests in its busiest hour, usual tokens, and shares of its requests."""

    an_hour: float
    prompt_tokens: int
    answer_tokens: int
    large: float
    streamed: float
    refused: float
    features: tuple[str, ...] = ()
    """What its requests say of themselves in the tag `feature`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A key, whose it is, and how it is used."""

    tenant_id: int
    application_id: int
    api_key_id: int
    environment: str
    time_zone: str
    habit: Habit
    end_users: tuple[str, ...] = ()
    """Surrogates; those in front come oftener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    outcome: str
    status: int | None
    code: str = ""
    share_answered: float = 1.0


COMPLETED = Ending(outcome="completed", status=200)
UNUSUAL = (
    (0.015, Ending(outcome="client_left", status=200, share_answered=0.4)),
    (0.004, Ending(outcome="cut", status=200, code="upstream_error", share_answered=0.6)),
    (0.008, Ending(outcome="upstream_error", status=502, code="upstream_error", share_answered=0.0)),
)
"""Endings that some requests have, and the share of them."""
REFUSALS = (
    Ending(outcome="refused", status=429, code="rate_limit_exceeded"),
    Ending(outcome="refused", status=429, code="rate_limit_exceeded"),
    Ending(outcome="refused", status=429, code="insufficient_quota"),
    Ending(outcome="refused", status=404, code="model_not_found"),
)


def history(callers: list[Caller], *, rates: dict[str, Rates], until: datetime) -> Iterator[dict[str, object]]:
    """Columns of usage records, from two weeks before `until` up to it. `rates` are those of the sandbox's models."""
    chance = Random(2026)  # noqa: S311 - not for secrets
    first_hour = until.replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    for hour in (first_hour + timedelta(hours=n) for n in range(DAYS * 24 + 1)):
        for caller in callers:
            for _ in range(_requests(caller, hour, chance)):
                at = hour + timedelta(seconds=chance.uniform(0, 3600))
                record = _record(caller, at, rates, chance)
                if at < until:
                    yield record


def _requests(caller: Caller, hour: datetime, chance: Random) -> int:
    local = hour.astimezone(ZoneInfo(caller.time_zone))
    expected = caller.habit.an_hour * BUSY[local.hour] / 100 * (WEEKEND if local.weekday() >= 5 else 1)
    return int(expected * chance.uniform(0.7, 1.3) + chance.random())


def _record(caller: Caller, at: datetime, rates: dict[str, Rates], chance: Random) -> dict[str, object]:
    common = {
        "request_id": uuid.UUID(int=chance.getrandbits(128), version=4),
        "at": at.astimezone(UTC),
        "tenant_id": caller.tenant_id,
        "application_id": caller.application_id,
        "api_key_id": caller.api_key_id,
        "environment": caller.environment,
        "end_user": _end_user(caller, chance),
        "tags": {"feature": chance.choice(caller.habit.features)} if caller.habit.features else {},
    }
    if chance.random() < caller.habit.refused:
        return {**common, **_refusal(chance)}
    return {**common, **_answer(caller.habit, rates, chance)}


def _end_user(caller: Caller, chance: Random) -> str:
    if not caller.end_users:
        return ""
    return caller.end_users[int(len(caller.end_users) * chance.random() ** 2)]


def _refusal(chance: Random) -> dict[str, object]:
    ending = chance.choice(REFUSALS)
    model = "gpt-4o" if ending.code == "model_not_found" else "sandbox-small"
    return {
        "model": model,
        "outcome": ending.outcome,
        "status": ending.status,
        "code": ending.code,
        "requests": chance.randint(1, 4) if ending.code == "rate_limit_exceeded" else 1,
        "latency_ms": chance.randint(1, 3),
    }


def _answer(habit: Habit, rates: dict[str, Rates], chance: Random) -> dict[str, object]:
    model = "sandbox-large" if chance.random() < habit.large else "sandbox-small"
    ending = _ending(chance)
    tokens = _tokens(habit, ending, chance)
    streamed = chance.random() < habit.streamed
    first_token_ms = int(chance.lognormvariate(5.2, 0.35) + tokens.input * 0.02)
    return {
        "model": model,
        "provider": "sandbox",
        "upstream_model": model,
        "outcome": ending.outcome,
        "status": ending.status,
        "code": ending.code,
        "streamed": streamed,
        "input_tokens": tokens.input,
        "cached_input_tokens": tokens.cached_input,
        "output_tokens": tokens.output,
        "cost_nano": cost_nano(tokens, rates[model]) if tokens.total else 0,
        "estimated": ending.outcome in ("client_left", "cut"),
        "latency_ms": first_token_ms + int(tokens.output * MS_PER_TOKEN[model] * chance.uniform(0.8, 1.3)),
        "first_token_ms": first_token_ms if streamed else None,
        "overhead_us": int(chance.lognormvariate(6.1, 0.3)),
    }


def _ending(chance: Random) -> Ending:
    draw = chance.random()
    for share, ending in UNUSUAL:
        if draw < share:
            return ending
        draw -= share
    return COMPLETED


def _tokens(habit: Habit, ending: Ending, chance: Random) -> Tokens:
    if not ending.share_answered:
        return Tokens()
    prompt = max(int(habit.prompt_tokens * chance.lognormvariate(0, 0.5)), 8)
    answer = max(int(habit.answer_tokens * chance.lognormvariate(0, 0.6) * ending.share_answered), 1)
    cached = prompt // 128 * 128 // 2 if chance.random() < 0.3 else 0
    return Tokens(input=prompt, output=answer, cached_input=cached)
