"""What the verifier of the audit log finds, in words and with its place. Pure."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

MOST = 20
"""Findings of one log that are kept with their words; the rest are counted. The first one counts most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it was sealed.

    Args:
        log: the log's origin; empty where it is of no log that is known.
        index: the first bad index in that log; None where it has no place in one.
        until: where only a range can be told: the first index behind it.
        text: what is wrong, as a sentence.
    """

    log: str
    index: int | None
    until: int | None = None
    text: str

    def __str__(self) -> str:
        return f"{self.log or 'no log'}, {self.place}: {self.text}"

    @property
    def place(self) -> str:
        """`index 7`, `indices 5 to 9`, or that it has none."""
        if self.index is None:
            return "no index"
        if self.until is None or self.until == self.index + 1:
            return f"index {self.index}"
        return f"indices {self.index} to {self.until - 1}"


@dataclass(slots=True)
class Report:
    """What one run found. `unchecked` are sentences on what could not be looked at; a run with any is not clean."""

    logs: int = 0
    events: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)

    def add(self, *found: Finding) -> None:
        """Adds findings: of each log the first ones, in the order of their index; the others are counted only."""
        for finding in found:
            self.counts[finding.log] = self.counts.get(finding.log, 0) + 1
            if self.counts[finding.log] <= MOST:
                self.findings.append(finding)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def is_clean(self) -> bool:
        return not self.count and not self.unchecked

    def in_order(self) -> list[Finding]:
        """By log and index; what has no index comes last."""
        return sorted(self.findings, key=lambda each: (each.log, each.index is None, each.index or 0))

    def as_json(self, *, most: int = MOST) -> dict[str, Any]:
        """For the row of a job: how many, and the first of them."""
        return {
            "logs": self.logs,
            "events": self.events,
            "checkpoints": self.checkpoints,
            "findings": self.count,
            "first": [asdict(each) for each in self.in_order()[:most]],
            "unchecked": self.unchecked[:most],
        }


def from_json(values: Iterable[dict[str, Any]]) -> list[Finding]:
    """The findings that `Report.as_json` has kept."""
    return [Finding(**each) for each in values]
