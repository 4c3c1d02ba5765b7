"""What the next run removes, and a hash that tells whether it still is the same."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from compliance import holds, retention
from compliance.purgers import Line, Purger, Scope, purgers

RUNS_AT = time(3, 40, tzinfo=UTC)
"""When the run of each night begins (config/celery.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is due on a day, under the policies and holds of the moment at which it was counted."""

    as_of: date
    lines: tuple[Line, ...]
    policies: list[list[int]]
    holds: list[int]

    @property
    def hash(self) -> str:
        """SHA-256 over canonical JSON of everything that the plan says."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def rows(self) -> int:
        return sum(line.rows for line in self.lines)

    @property
    def held_rows(self) -> int:
        return sum(line.held_rows for line in self.lines)

    def of(self, store: str) -> Iterator[Line]:
        return (line for line in self.lines if line.store == store)

    def is_current(self) -> bool:
        """Whether policies and holds are still those of the plan."""
        return (self.policies, self.holds) == (retention.versions(), holds.versions())

    def as_json(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of.isoformat(),
            "lines": [line.as_json() for line in self.lines],
            "policies": self.policies,
            "holds": self.holds,
        }


def today() -> date:
    """The day (UTC) that purges count from."""
    return timezone.now().astimezone(UTC).date()


def next_run() -> datetime:
    """When the next run by itself begins; it counts from that day."""
    now = timezone.now().astimezone(UTC)
    tonight = datetime.combine(now.date(), RUNS_AT)
    return tonight if tonight > now else tonight + timedelta(days=1)


def make(scope: Scope) -> Plan:
    """Counts what is due."""
    policies, in_force = retention.versions(), holds.versions()
    lines = [line for purger in executed() for line in sorted(_lines(purger, scope), key=lambda line: line.tenant_id)]
    return Plan(as_of=scope.as_of, lines=tuple(lines), policies=policies, holds=in_force)


def executed() -> tuple[Purger, ...]:
    """The purgers that runs execute."""
    return tuple(purger for purger in purgers() if purger.steps is not None)


def _lines(purger: Purger, scope: Scope) -> list[Line]:
    return purger.plan(scope) if purger.plan is not None else []
