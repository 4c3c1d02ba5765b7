"""What a period will have cost at its end if it goes on like this. Pure, and without floats."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
LEAST_SHARE = Fraction(1, 10)
"""Of a period, by the clock: before that much of it has passed, a projection would be a guess."""
LEAST_WEIGHT = Fraction(1, 10)
"""Of the mean weekday: the least that a weekday counts, so that what a quiet day costs is not blown up."""
ONE = timedelta(microseconds=1)


def projected(
    spent: int, *, start: datetime, end: datetime, at: datetime, zone: str, weekdays: Sequence[int] = ()
) -> int | None:
    """The whole period's spend if the rest goes on like the part until `at`; None where it is too early to tell.

    `weekdays` is what the seven days of the week, from Monday on, usually cost: where given, a weekend to come counts
    as a weekend. Days are those of `zone`. A budget that began to count within the period is projected too low, once.
    """
    if not _is_telling(start, end, at):
        return None
    weights = _weights(weekdays)
    passed = _weigh(start, at, ZoneInfo(zone), weights)
    whole = passed + _weigh(at, end, ZoneInfo(zone), weights)
    return int(spent * whole / passed)


def _is_telling(start: datetime, end: datetime, at: datetime) -> bool:
    """After a tenth of the period, and a day, or half of a period that is hardly longer."""
    return start < at < end and at - start >= max(
        (end - start) * LEAST_SHARE.numerator / LEAST_SHARE.denominator, min(DAY, (end - start) // 2)
    )


def _weights(weekdays: Sequence[int]) -> Sequence[Fraction]:
    total = sum(weekdays)
    if not total:
        return [Fraction(1)] * 7
    return [max(Fraction(amount), total * LEAST_WEIGHT / 7) for amount in weekdays]


def _weigh(start: datetime, end: datetime, zone: ZoneInfo, weights: Sequence[Fraction]) -> Fraction:
    """The weights of the days between, those at the ends by the share that belongs to it."""
    total, day = Fraction(0), start.astimezone(zone).date()
    while (midnight := datetime.combine(day, time(), zone)) < end:
        next_midnight = datetime.combine(day + DAY, time(), zone)
        inside = _elapsed(max(start, midnight), min(end, next_midnight))
        total += weights[day.weekday()] * Fraction(inside, _elapsed(midnight, next_midnight))
        day += DAY
    return total


def _elapsed(start: datetime, end: datetime) -> int:
    """Microseconds of real time: of two local times that differ in offset, Python would count those of the clock."""
    return (end.astimezone(ZoneInfo("UTC")) - start.astimezone(ZoneInfo("UTC"))) // ONE
