"""Figures that must be kept, and tables of what was measured."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LIMIT_MISSED, RUN_FAILED = 1, 2
"""What a benchmark exits with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A figure that must be `most` at most, or `least` at least. One that depends on the machine fails a run only with
    --strict."""

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    depends_on_machine: bool = False

    @property
    def met(self) -> bool:
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def fails(self, *, strict: bool) -> bool:
        return not self.met and (strict or not self.depends_on_machine)

    def line(self, *, strict: bool) -> str:
        word, bound = ("at most", self.most) if self.most is not None else ("at least", self.least)
        verdict = "met" if self.met else "NOT MET"
        note = ", depends on the machine" if self.depends_on_machine and not strict else ""
        value = f"{self.value:.2f}" if self.unit == "×" else f"{self.value:,.0f}"
        return f"  {self.what:<46}{value:>8} {self.unit:<4} {word:<8} {bound:>8,g}   {verdict}{note}"


def conclude(limits: Sequence[Limit], *, strict: bool) -> None:
    """Prints the verdicts, and ends the process with a status that says whether all limits are kept."""
    print("\n" + "\n".join(limit.line(strict=strict) for limit in limits), flush=True)
    sys.exit(LIMIT_MISSED if any(limit.fails(strict=strict) for limit in limits) else 0)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they need to be, numbers to the right."""
    cells = [[str(head) for head in heads], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = []
    for row in cells:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join((row[0].ljust(len(first)), *rest)))
    return "\n".join(lines)
