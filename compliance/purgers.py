"""Where the apps say what of theirs goes when its time is over, how it is counted, and how it is removed.

Compliance is the lowest layer and may not know who keeps what; each app registers its purgers in `AppConfig.ready`.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from compliance.models import RetentionPolicy
from compliance.registry import Class

PLATFORM = 0
"""Stands where a tenant's number would, for what belongs to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is asked for: what is due on a day (UTC), of all tenants or of one.

    `edited` is a policy that is not saved and counts all the same, for a preview.
    """

    as_of: date
    tenant_id: int | None = None
    edited: RetentionPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What of one store and tenant is due.

    Args:
        rows: how many will be removed.
        oldest: the day (UTC) on which the oldest of them was written.
        why: in words: for how long it is kept, and which rule says so.
        held_rows: how many are due and stay, because legal holds cover them.
        held: number of each such hold → rows; a row may be under several.
    """

    store: str
    tenant_id: int
    rows: int
    oldest: date | None
    why: str
    held_rows: int = 0
    held: Mapping[int, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "tenant": self.tenant_id,
            "rows": self.rows,
            "oldest": self.oldest.isoformat() if self.oldest else None,
            "why": self.why,
            "held_rows": self.held_rows,
            "held": {str(hold): rows for hold, rows in sorted(self.held.items())},
        }


@dataclass(frozen=True, slots=True)
class Done:
    """What one step did: rows that it removed, by tenant; rows that it moved; and in words how, for the audit log.

    `is_busy`: nothing, because somebody else was using the table for longer than the step would wait.
    """

    removed: Mapping[int, int] = field(default_factory=dict)
    moved: int = 0
    how: str = ""
    is_busy: bool = False


@dataclass(slots=True, kw_only=True)
class Work:
    """What a run may still remove of one store, by tenant: never more than was planned."""

    as_of: date
    left: dict[int, int]


Step = Callable[[], Done]
"""A short piece of work. The run performs it in a transaction, after it has looked that policies and holds are those of
the plan, and adds what was removed to its record and to the audit log there."""

Steps = Generator[Step, Done, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purger:
    """One store whose rows go when they are due.

    Args:
        name: unique, as `transcript`.
        title: what its rows are, for people: `conversations`.
        keeps: the class whose policies hold.
        plan: counts what is due; lines without rows are left out.
        steps: removes what `plan` has counted, step by step. None: it is removed elsewhere, or not at all.
        note: what people should know about it, above all where `steps` is None.
    """

    name: str
    title: str
    keeps: Class
    plan: Callable[[Scope], list[Line]] | None = None
    steps: Callable[[Work], Steps] | None = None
    note: Callable[[Scope], str] | None = None


_purgers: dict[str, Purger] = {}


def take(steps: Steps, perform: Callable[[Step], Done]) -> None:
    """Goes through the steps, each of which sees what became of the one before."""
    try:
        step = next(steps)
        while True:
            step = steps.send(perform(step))
    except StopIteration:
        return


def register(*purgers: Purger) -> None:
    """Adds purgers. A name can be registered once.

    Raises:
        ValueError: a purger of that name is registered already.
    """
    for purger in purgers:
        if purger.name in _purgers:
            raise ValueError(f"the purger {purger.name} is registered twice")
        _purgers[purger.name] = purger


def purgers() -> tuple[Purger, ...]:
    """All purgers, in the order in which they were registered."""
    return tuple(_purgers.values())


def title_of(store: str) -> str:
    """What a store's rows are called; its name where nobody registers it any more."""
    return _purgers[store].title if store in _purgers else store
