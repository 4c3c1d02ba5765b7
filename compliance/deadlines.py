"""Until when a subject request must be acknowledged and answered. Pure.

Days are those of the tenant's time zone. The day of receipt is not counted. A period of months ends on the day of the
same number, or on the last day of a month that has no such day (Regulation (EEC, Euratom) No 1182/71, article 3(1) and
(2)(c); EDPB guidelines 01/2022, 5.3). Where a regime says so, a period that ends on a weekend or a holiday ends with
the next working day (article 3(4)). An extension prolongs the one period from receipt: one month and two further ones
are three months, counted once.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from compliance.rights import Right


class Unit(StrEnum):
    MONTHS = "months"
    DAYS = "days"
    BUSINESS_DAYS = "business_days"


@dataclass(frozen=True, slots=True)
class Term:
    """So many months, days, or business days."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        name = self.unit.replace("_", " ")
        return f"{self.count} {name if self.count != 1 else name[:-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """Whose deadlines hold.

    Args:
        acknowledge: until when receipt must be confirmed; None where the law sets no time.
        answer: until when a request must be answered, unless `special` says otherwise for its right.
        extension: by how much the answer's term may be prolonged once, in the same unit; None: not at all.
        weekend: days of the week that are no business days; Monday is 0.
        moves: whether a term that ends on a weekend or a holiday ends with the next working day.
        pauses_for_identity, pauses_for_clarification: whether the clock stops while the person has to do something.
    """

    slug: str
    name: str
    answer: Term
    acknowledge: Term | None = None
    extension: Term | None = None
    special: Mapping[Right, Term] = field(default_factory=dict)
    weekend: frozenset[int] = frozenset({5, 6})
    holidays: frozenset[date] = frozenset()
    moves: bool = False
    pauses_for_identity: bool = False
    pauses_for_clarification: bool = False

    def is_working_day(self, day: date) -> bool:
        return day.weekday() not in self.weekend and day not in self.holidays

    def term(self, right: Right) -> Term:
        return self.special.get(right, self.answer)

    def extends(self, right: Right) -> bool:
        """Whether there is more time to be had: never for the rights that have a term of their own."""
        return self.extension is not None and right not in self.special


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """The last days, and how they were found; `due_at` is the first moment after the last day."""

    received_on: date
    acknowledge_by: date | None
    due_on: date
    due_at: datetime
    because: tuple[str, ...]


def compute(
    *, regime: Regime, right: Right, received_at: datetime, zone: str, extended: bool = False, paused_days: int = 0
) -> Deadlines:
    """The deadlines of a request.

    Raises:
        ValueError: it is extended, but the regime knows no extension for this right.
    """
    if extended and not regime.extends(right):
        raise ValueError(f"{regime.name} knows no extension for {right.label.lower()}")
    received_on = local_day(received_at, zone)
    because = [f"Received on {_shown(received_on)} in {zone}."]
    due_on = _last_day(regime, right, received_on, extended, paused_days, because)
    acknowledge_by = _after(received_on, regime.acknowledge, regime) if regime.acknowledge else None
    if regime.acknowledge and acknowledge_by:
        because.append(f"Receipt is to be confirmed within {regime.acknowledge}: by {_shown(acknowledge_by)}.")
    return Deadlines(
        received_on=received_on,
        acknowledge_by=acknowledge_by,
        due_on=due_on,
        due_at=end_of(due_on, zone),
        because=tuple(because),
    )


def local_day(moment: datetime, zone: str) -> date:
    """The day that a moment belongs to in a time zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def end_of(day: date, zone: str) -> datetime:
    """The first moment (UTC) after a day in a time zone, also where clocks skip or repeat midnight."""
    # Of a repeated midnight the first one ends the day; a skipped one is taken with the offset that held before it,
    # and so becomes the moment of the jump, which is where the next day begins.
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _last_day(
    regime: Regime, right: Right, received_on: date, extended: bool, paused_days: int, because: list[str]
) -> date:
    term = regime.term(right)
    due_on = _after(received_on, term, regime)
    said = f"{regime.name} gives {term}"
    if extended and regime.extension:
        due_on, said = _extended(received_on, regime, term, regime.extension), f"{said} and {regime.extension} more"
    because.append(f"{said}: until {_shown(due_on)}{_shortened(received_on, due_on, term)}.")
    if paused_days:
        due_on += timedelta(days=paused_days)
        because.append(f"The clock stood still for {paused_days} days: until {_shown(due_on)}.")
    if regime.moves and not regime.is_working_day(due_on):
        due_on = _next_working_day(due_on, regime)
        because.append(f"That is no working day; the next one is {_shown(due_on)}.")
    return due_on


def _extended(received_on: date, regime: Regime, term: Term, extension: Term) -> date:
    if term.unit == extension.unit:
        return _after(received_on, Term(term.count + extension.count, term.unit), regime)
    return _after(_after(received_on, term, regime), extension, regime)


def _after(day: date, term: Term, regime: Regime) -> date:
    match term.unit:
        case Unit.MONTHS:
            return _months_after(day, term.count)
        case Unit.DAYS:
            return day + timedelta(days=term.count)
        case Unit.BUSINESS_DAYS:
            for _ in range(term.count):
                day = _next_working_day(day, regime)
            return day


def _months_after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _next_working_day(day: date, regime: Regime) -> date:
    day += timedelta(days=1)
    while not regime.is_working_day(day):
        day += timedelta(days=1)
    return day


def _shortened(received_on: date, due_on: date, term: Term) -> str:
    shorter = term.unit == Unit.MONTHS and due_on.day != received_on.day
    return ", the last day of a month that is shorter" if shorter else ""


def _shown(day: date) -> str:
    return f"{day:%a} {day.isoformat()}"
