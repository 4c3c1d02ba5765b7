"""Which backups are kept: those of the last days, one of each of the last weeks, and always the last good one. Pure."""

import re
import secrets
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta

_LABEL = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_TIME = "%Y%m%dT%H%M%SZ"


def new_label(at: datetime) -> str:
    """The name of a backup that begins now: its time (UTC), and what tells it from another one of that second. Names
    sort as the backups began: their end is the microsecond and a digit by chance."""
    return f"{at.astimezone(UTC).strftime(_TIME)}-{at.microsecond:05x}{secrets.randbelow(16):x}"


def is_label(text: str) -> bool:
    """Whether it is the name of a backup; what else lies in the same place is nobody's business here."""
    return _LABEL.fullmatch(text) is not None


def time_of(label: str) -> datetime:
    """When the backup of that name began."""
    return datetime.strptime(label.partition("-")[0], _TIME).replace(tzinfo=UTC)


def horizon_days(*, days: int, weeks: int) -> int:
    """After how many days nothing is left of what a backup knew."""
    return max(days, 7 * weeks)


def outdated(good: Iterable[str], *, today: date, days: int, weeks: int) -> list[str]:
    """The names of those good backups that are not kept any more, the oldest first.

    Kept are all of the last `days` days, today included; of each week (ISO 8601, UTC) the first one, for `weeks` times
    seven days; and the newest of all.
    """
    labels = sorted(good)
    kept = {*_of_days(labels, today, days), *_of_weeks(labels, today, weeks), *labels[-1:]}
    return [label for label in labels if label not in kept]


def _of_days(labels: Collection[str], today: date, days: int) -> set[str]:
    return {label for label in labels if today - time_of(label).date() < timedelta(days=days)}


def _of_weeks(labels: Collection[str], today: date, weeks: int) -> set[str]:
    first: dict[tuple[int, int], str] = {}
    for label in labels:
        year, week, _ = time_of(label).isocalendar()
        first.setdefault((year, week), label)
    return _of_days(first.values(), today, 7 * weeks)
