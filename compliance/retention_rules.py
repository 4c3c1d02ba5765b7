"""For how many days something is kept: what the law requires at least, else the tenant's own policy, else everybody's.
Pure. What else wins over these, legal holds and erasures, is in `docs/operations.md`."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum


class Basis(StrEnum):
    """Which rule decided."""

    FLOOR = "required by law"
    POLICY = "policy of the tenant"
    DEFAULT = "policy of the platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one policy says, in whole days."""

    days: int
    floor_days: int = 0
    floor_basis: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for one class of one tenant's data. `days` is never below `floor_days`."""

    days: int
    basis: Basis
    reason: str
    floor_days: int = 0
    floor_basis: str = ""

    @property
    def why(self) -> str:
        """In words, for previews and reports."""
        if self.basis is Basis.FLOOR:
            return f"kept {in_words(self.days)} ({self.basis}: {self.floor_basis})"
        return f"kept {in_words(self.days)} ({self.basis})"


def in_words(days: int) -> str:
    """`1 day`, `1,000 days`."""
    return f"{days:,} {'day' if days == 1 else 'days'}"


def rule(default: Terms, own: Terms | None = None) -> Rule:
    """What holds where everybody's policy is `default` and the tenant's `own`, if it has one."""
    floor = max((default, own or default), key=lambda terms: terms.floor_days)
    chosen, basis = (own, Basis.POLICY) if own else (default, Basis.DEFAULT)
    if floor.floor_days > chosen.days:
        basis = Basis.FLOOR
    return Rule(
        days=max(chosen.days, floor.floor_days),
        basis=basis,
        reason=chosen.reason,
        floor_days=floor.floor_days,
        floor_basis=floor.floor_basis,
    )


def due_on(written: date, days: int) -> date:
    """The day (UTC) on which something is due: it is kept for `days` whole days after its own."""
    return written + timedelta(days=days + 1)


def cutoff(as_of: date, days: int) -> datetime:
    """What was written before this moment is due on `as_of`: the same rule as `due_on`, seen from the other end."""
    return datetime.combine(as_of - timedelta(days=days), time(), UTC)
