"""What wins where several rules speak about how long something is kept."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from compliance.retention_rules import Basis, Terms, cutoff, due_on, rule

DAYS = st.integers(1, 4000)
DATES = st.dates(date(2000, 1, 1), date(2100, 1, 1))


class TestRule:
    def test_a_tenants_own_wins_over_everybodys(self) -> None:
        found = rule(Terms(days=30), Terms(days=90))
        assert (found.days, found.basis) == (90, Basis.POLICY)

    def test_everybodys_holds_without(self) -> None:
        assert (rule(Terms(days=30)).days, rule(Terms(days=30)).basis) == (30, Basis.DEFAULT)

    def test_everybodys_floor_binds_a_tenants_own(self) -> None:
        found = rule(Terms(days=300, floor_days=184, floor_basis="AI Act"), Terms(days=90))
        assert (found.days, found.basis, found.why) == (184, Basis.FLOOR, "kept 184 days (required by law: AI Act)")

    def test_the_higher_floor_binds(self) -> None:
        found = rule(Terms(days=300, floor_days=184), Terms(days=90, floor_days=2190, floor_basis="HIPAA"))
        assert (found.days, found.floor_basis) == (2190, "HIPAA")


class TestDays:
    @given(written=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), days=DAYS, as_of=DATES)
    def test_both_ends_say_the_same(self, written: datetime, days: int, as_of: date) -> None:
        assert (written.replace(tzinfo=UTC) < cutoff(as_of, days)) == (due_on(written.date(), days) <= as_of)

    @given(day=DATES, at=st.times(), days=DAYS)
    def test_it_is_kept_for_its_days_in_full_and_less_than_two_more(self, day: date, at: time, days: int) -> None:
        written = datetime.combine(day, at, UTC)
        kept = datetime.combine(due_on(day, days), time(), UTC) - written
        assert timedelta(days=days) < kept <= timedelta(days=days + 1)

    def test_over_the_end_of_february(self) -> None:
        assert due_on(date(2024, 2, 28), 1) == date(2024, 3, 1)
        assert due_on(date(2023, 2, 28), 1) == date(2023, 3, 2)
