"""Percentiles out of counted latencies. Pure.

Answers are counted by the bounds that their latency has reached (`latency_bucket` in `sql/rollups.sql`): a percentile
is exact up to 10 ms, and from there on off by a quarter at most, usually by a twentieth.
"""

from collections.abc import Mapping

_STEPS = (10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90)

BOUNDS: tuple[int, ...] = (
    0,
    *range(1, 10),
    *(step * 10**power for power in range(5) for step in _STEPS if step * 10**power <= 600_000),
)
"""In milliseconds: bucket `n` holds the latencies from BOUNDS[n] up to, and without, BOUNDS[n + 1]."""


def percentile(answered: Mapping[int, int], *, per_cent: int) -> float | None:
    """The milliseconds that `per_cent` of the answers did not exceed, None without answers; `answered` by bucket.

    Within a bucket, answers are taken to be spread evenly.
    """
    total = sum(answered.values())
    wanted, below = total * per_cent / 100, 0
    for bucket in sorted(answered):
        if below + answered[bucket] >= wanted and answered[bucket]:
            return _within(bucket, (wanted - below) / answered[bucket])
        below += answered[bucket]
    return None


def _within(bucket: int, share: float) -> float:
    low = BOUNDS[bucket]
    high = BOUNDS[min(bucket + 1, len(BOUNDS) - 1)]
    return low + share * (high - low) if high - low > 1 else low
