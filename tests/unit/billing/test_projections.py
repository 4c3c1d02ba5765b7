"""Where a period is heading: by time, by weekdays, and over changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.projections import projected

BERLIN = "Europe/Berlin"
WEEKEND_OFF = (100, 100, 100, 100, 100, 0, 0)


def local(text: str, zone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def march(at: str, spent: int, **options: object) -> int | None:
    """A month in which Berlin's clocks go forward, on the 29th."""
    start, end = local("2026-03-01"), local("2026-04-01")
    return projected(spent, start=start, end=end, at=local(at), zone=BERLIN, **options)  # type: ignore[arg-type]


def test_it_works() -> None:
    assert march("2026-03-11", 1000) == 3100


@pytest.mark.parametrize(
    ("at", "known"),
    [
        pytest.param("2026-03-01T00:00", False, id="at its beginning"),
        pytest.param("2026-03-03T00:00", False, id="before a tenth of it"),
        pytest.param("2026-03-05T00:00", True, id="after a tenth of it"),
        pytest.param("2026-04-01T00:00", False, id="when it is over"),
    ],
)
def test_it_is_told_once_enough_has_passed(at: str, known: bool) -> None:
    assert (march(at, 1000) is not None) is known


def test_a_day_is_projected_from_noon_on() -> None:
    start, end = local("2026-05-05"), local("2026-05-06")
    for hour, expected in ((11, None), (12, 200), (18, 133)):
        at = local(f"2026-05-05T{hour}:00")
        assert projected(100, start=start, end=end, at=at, zone=BERLIN) == expected


def test_a_week_is_projected_after_a_day() -> None:
    start, end = local("2026-05-04"), local("2026-05-11")
    assert projected(100, start=start, end=end, at=local("2026-05-04T23:00"), zone=BERLIN) is None
    assert projected(100, start=start, end=end, at=local("2026-05-05T00:00"), zone=BERLIN) == 700


def test_a_weekend_to_come_counts_as_one() -> None:
    """From Monday to Wednesday 300; what a weekend costs at least is a tenth of the mean day."""
    start, end = local("2026-05-04"), local("2026-05-11")
    expected = projected(300, start=start, end=end, at=local("2026-05-07"), zone=BERLIN, weekdays=WEEKEND_OFF)
    assert expected == int(300 * (500 + 2 * 500 / 70) / 300)


def test_a_quiet_weekend_behind_does_not_multiply() -> None:
    """On Sunday evening nearly nothing has been spent, and a linear pace promises as little for the week to come."""
    start, end = local("2026-05-02"), local("2026-05-12")
    linear = projected(10, start=start, end=end, at=local("2026-05-04"), zone=BERLIN)
    aware = projected(10, start=start, end=end, at=local("2026-05-04"), zone=BERLIN, weekdays=WEEKEND_OFF)
    assert linear == 50
    assert aware is not None
    assert 50 < aware < 10_000


@pytest.mark.parametrize(
    ("day", "hours"),
    [pytest.param("2026-03-29", 23, id="clocks go forward"), pytest.param("2026-10-25", 25, id="clocks go back")],
)
def test_half_of_a_day_is_half_of_its_hours(day: str, hours: int) -> None:
    start = local(day)
    end = start + timedelta(hours=hours)
    assert end == local(str(datetime.fromisoformat(day).date() + timedelta(days=1)))
    assert projected(100, start=start, end=end, at=start + timedelta(hours=hours) / 2, zone=BERLIN) == 200


def test_a_month_with_a_changed_clock_counts_days_alike() -> None:
    assert march("2026-03-30", 2900) == 3100


def test_a_leap_february() -> None:
    start, end, at = local("2028-02-01", "UTC"), local("2028-03-01", "UTC"), local("2028-02-15", "UTC")
    assert projected(1400, start=start, end=end, at=at, zone="UTC") == 2900


@given(
    st.integers(0, 10**15),
    st.integers(5, 30),
    st.lists(st.integers(0, 10**12), min_size=7, max_size=7),
    st.sampled_from(["UTC", BERLIN, "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_projection_is_at_least_what_is_spent(spent: int, day: int, weekdays: list[int], zone: str) -> None:
    start, end = local("2026-03-01", zone), local("2026-04-01", zone)
    at = local(f"2026-03-{day:02}", zone)
    expected = projected(spent, start=start, end=end, at=at, zone=zone, weekdays=weekdays)
    assert expected is not None
    assert expected >= spent
    # No weekday weighs less than a tenth of the mean one, nor more than all seven together.
    assert expected <= spent * 7 * 31 * 10
