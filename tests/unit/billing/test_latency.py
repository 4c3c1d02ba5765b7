"""Percentiles out of counted latencies."""

from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.latency import BOUNDS, percentile


def counted(latencies: list[int]) -> dict[int, int]:
    buckets = [bisect_right(BOUNDS, ms) - 1 for ms in latencies]
    return {bucket: buckets.count(bucket) for bucket in buckets}


def test_without_answers_there_is_none() -> None:
    assert percentile({}, per_cent=50) is None


@pytest.mark.parametrize(
    ("latencies", "per_cent", "expected"),
    [
        pytest.param([7], 50, 7, id="short ones are exact"),
        pytest.param([3, 4, 9], 95, 9, id="the largest"),
        pytest.param([410, 440], 50, 425, id="the middle of a step"),
        pytest.param([5_000_000], 50, 600_000, id="longer than the last bound"),
        pytest.param([0], 95, 0, id="nothing"),
    ],
)
def test_it_works(latencies: list[int], per_cent: int, expected: float) -> None:
    assert percentile(counted(latencies), per_cent=per_cent) == expected


@given(st.lists(st.integers(0, 600_000), min_size=1), st.sampled_from([50, 95]))
def test_it_is_off_by_a_quarter_at_most(latencies: list[int], per_cent: int) -> None:
    ordered = sorted(latencies)
    exact = ordered[-(-len(ordered) * per_cent // 100) - 1]
    found = percentile(counted(latencies), per_cent=per_cent)
    assert found is not None
    assert exact / 1.26 <= found <= exact * 1.26 or abs(found - exact) <= 1


def test_bounds_rise_by_a_quarter_at_most() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert all(high * 4 <= low * 5 for low, high in pairwise(BOUNDS[10:]))
