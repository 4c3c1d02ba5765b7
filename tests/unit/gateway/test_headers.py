"""Headers of answers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.contracts import MeterKind, MeterSet, MeterSpec
from gateway.http.headers import duration, of_standing
from gateway.ledger import Standing

_UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0ms"),
        (12, "12ms"),
        (999, "999ms"),
        (1000, "1s"),
        (1500, "1.5s"),
        (59_999, "59.999s"),
        (60_000, "1m0s"),
        (360_000, "6m0s"),
        (3_600_000, "1h0m0s"),
        (5_400_250, "1h30m0.25s"),
        (90_000_000, "25h0m0s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


@given(st.integers(0, 10**11))
def test_durations_lose_nothing(milliseconds: int) -> None:
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", duration(milliseconds))
    assert "".join(number + unit for number, unit in parts) == duration(milliseconds)
    assert sum(round(float(number) * _UNITS_MS[unit]) for number, unit in parts) == milliseconds


def a_meter(kind: MeterKind, limit: int, *, soft: bool = False) -> MeterSpec:
    return MeterSpec(tenant_id=1, name=f"{kind}/{limit}", label="x", kind=kind, limit=limit, soft=soft)


def test_the_tightest_of_each_kind_is_told() -> None:
    meters = (
        a_meter(MeterKind.REQUESTS, 10),
        a_meter(MeterKind.REQUESTS, 1000),
        a_meter(MeterKind.TOKENS, 5000),
        a_meter(MeterKind.CONCURRENCY, 2),
        a_meter(MeterKind.BUDGET, 10**9),
        a_meter(MeterKind.BUDGET, 10**8),
        a_meter(MeterKind.BUDGET, 1, soft=True),
    )
    left, resets_ms = (9, 3, 4000, 1, 10**8, 1500, 0), (6000, 50, 12, 0, 1, 1, 1)
    standing = Standing(MeterSet(meters), None, 0, remaining=left, resets_ms=resets_ms)
    assert of_standing(standing) == {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "50ms",
        "x-ratelimit-limit-tokens": "5000",
        "x-ratelimit-remaining-tokens": "4000",
        "x-ratelimit-reset-tokens": "12ms",
        "x-portcullis-budget-remaining": "0.0000015",
    }


def test_without_meters_nothing_is_told() -> None:
    assert of_standing(Standing(MeterSet(()), None, 0, (), ())) == {}
