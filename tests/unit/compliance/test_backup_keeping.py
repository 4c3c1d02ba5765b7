"""Which backups are kept."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.backups import keeping

SUNDAY = date(2026, 3, 29)
LAST = datetime(2026, 3, 29, 2, tzinfo=UTC)
times = st.builds(lambda days, seconds: LAST - timedelta(days, seconds), st.integers(0, 60), st.integers(0, 2))
labels = st.sets(times, max_size=40).map(lambda made: {keeping.new_label(at) for at in made})


def daily(days: int) -> list[str]:
    """A backup for each of the last days, at 02:00, the oldest first."""
    first = datetime(2026, 3, 29, 2, tzinfo=UTC)
    return sorted(keeping.new_label(first - timedelta(days=number)) for number in range(days))


def days_of(kept: list[str]) -> list[str]:
    return [f"{keeping.time_of(label):%m-%d}" for label in kept]


def kept(made: list[str], *, days: int, weeks: int) -> list[str]:
    gone = keeping.outdated(made, today=SUNDAY, days=days, weeks=weeks)
    return [label for label in made if label not in gone]


def test_seven_days_and_four_weeks() -> None:
    found = kept(daily(60), days=7, weeks=4)
    assert days_of(found) == ["03-02", "03-09", "03-16", "03-23", "03-24", "03-25", "03-26", "03-27", "03-28", "03-29"]


def test_without_weeks_only_the_days() -> None:
    assert len(kept(daily(60), days=7, weeks=0)) == 7


def test_the_last_good_one_is_kept_however_old_it_is() -> None:
    old = daily(60)[:3]
    assert kept(old, days=7, weeks=0) == old[-1:]


@given(labels, st.integers(1, 20), st.integers(0, 8))
def test_nothing_but_the_last_one_is_older_than_the_horizon_says(made: set[str], days: int, weeks: int) -> None:
    found = kept(sorted(made), days=days, weeks=weeks)
    horizon = timedelta(days=keeping.horizon_days(days=days, weeks=weeks))
    assert bool(found) == bool(made)
    assert all(SUNDAY - keeping.time_of(label).date() < horizon for label in found[:-1])


@given(labels)
def test_a_week_keeps_one_from_day_to_day(made: set[str]) -> None:
    """What was kept for its week yesterday is not given up today for a later one of the same week."""
    now = kept(sorted(made), days=7, weeks=4)
    assert kept(now, days=7, weeks=4) == now


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("20260329T020000Z-0a1b2c", True), ("lost+found", False), ("20260329T020000Z-0a1b2c.part", False), ("", False)],
)
def test_names_of_others_are_left_alone(name: str, is_one: bool) -> None:
    assert keeping.is_label(name) is is_one


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=20, unique=True))
def test_names_sort_as_the_backups_began(microseconds: list[int]) -> None:
    """Within a second, too: the last one is the one that a drill takes."""
    began = [LAST + timedelta(microseconds=each) for each in sorted(microseconds)]
    made = [keeping.new_label(at) for at in began]
    assert made == sorted(made)
    assert all(map(keeping.is_label, made))
