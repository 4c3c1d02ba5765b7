"""Answers clients that hammer: what a rate has refused a key, it refuses its next requests too, from memory.

For at most a second, and only as long as the same policy holds: a changed limit makes another principal.
"""

import time
from dataclasses import dataclass

from billing.contracts import MeterKind, MeterSpec
from gateway.errors import RateLimited
from gateway.ledger import Standing
from gateway.principal import Principal

REMEMBERED_S = 1.0
MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Form:
    """A refusal on the wire (`http/hammered.py`), but for its wait, which stands between the two parts of the body."""

    status: int
    head: list[tuple[bytes, bytes]]
    before: bytes
    after: bytes


@dataclass(slots=True)
class Spent:
    """A request rate of a key that is used up. Times are those of `time.monotonic`.

    `form`: what all of its refusals share, once there has been one.
    """

    principal: Principal
    meter: MeterSpec
    standing: Standing
    free_at: float
    forget_at: float
    form: Form | None = None

    def wait_ms(self) -> int:
        """After how long there is room again."""
        return int((self.free_at - time.monotonic()) * 1000) + 1


class Hammering:
    """The keys that are over their request rate right now."""

    def __init__(self) -> None:
        self._spent: dict[int, Spent] = {}

    def remember(self, principal: Principal, standing: Standing) -> None:
        """Takes note of a refusal, if it is one that every request of the key would get: of a rate that all share."""
        meter = standing.refused_by
        if meter is None or meter.kind != MeterKind.REQUESTS or "#" in meter.name:
            return  # of a separate meter, as of one end user, other requests of the key know nothing
        if len(self._spent) >= MOST_KEYS:
            self._spent.clear()
        now = time.monotonic()
        free_at = now + standing.wait_ms / 1000
        forget_at = min(free_at, now + REMEMBERED_S)
        self._spent[principal.key_id] = Spent(principal, meter, standing, free_at, forget_at)

    def spent(self, principal: Principal) -> Spent | None:
        """Why the key's next request would be refused, as far as that is known."""
        spent = self._spent.get(principal.key_id)
        if spent is None:
            return None
        if spent.principal is not principal or time.monotonic() >= spent.forget_at:
            del self._spent[principal.key_id]
            return None
        return spent


def over_rate(meter: MeterSpec, *, wait_ms: int) -> RateLimited:
    """The refusal of a rate that has room again in `wait_ms`."""
    return RateLimited(
        f"Rate limit reached: {meter.limit} {meter.label}. Retry in {seconds(wait_ms)} s.", wait_ms=wait_ms
    )


def seconds(wait_ms: int) -> str:
    """A wait as a refusal tells it."""
    return f"{wait_ms / 1000:.3f}"
