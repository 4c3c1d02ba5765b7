"""How the ledger is: what waits in it, and how far behind those are who take it away."""

from dataclasses import dataclass

from django.db import connections

from billing import pins
from billing.pins import LEDGER, Pin

COUNTED_MOST = 100_000
"""A backlog is counted up to here: to count millions takes longer than it is worth."""

NAMED_AFTER_S = 3.0
"""How long a transaction may be open before it is named: with a look each 5 s, that is within 10 s."""

STATEMENT = """
SELECT (SELECT count(*) FROM (SELECT FROM usage_outbox LIMIT %(most)s) waiting),
       (SELECT extract(epoch FROM now() - (record ->> 'at')::timestamptz) FROM usage_outbox ORDER BY seq LIMIT 1),
       (SELECT count(*) FROM (SELECT FROM hold LIMIT %(most)s) held),
       (SELECT extract(epoch FROM now() - min(admitted_at)) FROM (SELECT admitted_at FROM hold LIMIT %(most)s) held),
       (SELECT extract(epoch FROM now() - min(expires_at)) FROM hold),
       (SELECT count(*) FROM (SELECT FROM usage_rejected LIMIT %(most)s) rejected)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Counts stop at `COUNTED_MOST`. `mover_lag_s`: how long the oldest usage record waits; `sweep_lag_s`: how long the
    oldest hold that is due has not been swept."""

    outbox: int
    mover_lag_s: float
    holds: int
    oldest_hold_s: float
    sweep_lag_s: float
    rejected: int
    pins: tuple[Pin, ...]

    @property
    def pinned_s(self) -> float:
        """Age of the oldest transaction that pins the ledger."""
        return max((pin.age_s or 0.0 for pin in self.pins), default=0.0)


def now(*, older_than_s: float = NAMED_AFTER_S) -> Health:
    """Reads it, and what has pinned the ledger for longer than `older_than_s`."""
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(STATEMENT, {"most": COUNTED_MOST})
        outbox, mover_lag_s, holds, oldest_hold_s, sweep_lag_s, rejected = cursor.fetchone()
    return Health(
        outbox=outbox,
        mover_lag_s=_positive(mover_lag_s),
        holds=holds,
        oldest_hold_s=_positive(oldest_hold_s),
        sweep_lag_s=_positive(sweep_lag_s),
        rejected=rejected,
        pins=tuple(pins.present(older_than_s=older_than_s)),
    )


def _positive(seconds: object) -> float:
    return max(float(str(seconds)), 0.0) if seconds is not None else 0.0
