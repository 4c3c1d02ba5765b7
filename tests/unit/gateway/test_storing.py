"""What the database is told of what is to be stored."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from gateway import storing

SECONDS = st.floats(946_684_800, 4_102_444_800)  # of the years 2000 to 2100


@given(st.lists(SECONDS))
@example([1_709_251_199.999_999_6])  # a microsecond before the first of March of a leap year, rounded up
@example([1_709_164_800.0, 1_709_164_800.000_001, 1_709_164_799.999_999])
def test_times_are_told_to_the_microsecond(values: list[float]) -> None:
    told = storing._times(values)
    assert (told[0], told[-1]) == ("{", "}")
    found = [datetime.fromisoformat(each) for each in told[1:-1].split(",")] if values else []
    off = [time - datetime.fromtimestamp(value, UTC) for time, value in zip(found, values, strict=True)]
    assert all(abs(each) <= timedelta(microseconds=1) for each in off)  # a float is no closer
