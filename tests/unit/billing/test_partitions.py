"""Which months the usage table has partitions for."""

from datetime import date

import pytest

from billing import partitions


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param(date(2026, 11, 1), date(2026, 12, 1), id="within a year"),
        pytest.param(date(2026, 12, 1), date(2027, 1, 1), id="over its end"),
    ],
)
def test_a_month_follows_the_other(first: date, expected: date) -> None:
    assert partitions.following(first) == expected


def test_months_ahead_begin_with_this_one() -> None:
    months = partitions.ahead(today=date(2026, 11, 21), count=3)
    assert sorted(months) == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)]
