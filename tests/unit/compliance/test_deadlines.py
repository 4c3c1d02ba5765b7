"""Until when requests must be acknowledged and answered, against a table of dated cases.

`deadline_cases.csv` was not made with the code under test: its dates were worked out with dateutil, its last moments by
searching the time zone database for the first second of the next day, and the month ends were checked by eye.
"""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance import regimes
from compliance.deadlines import Regime, Term, Unit, compute, end_of
from compliance.rights import Right

CASES = list(csv.DictReader(Path(__file__).with_name("deadline_cases.csv").read_text(encoding="utf-8").splitlines()))
MONTH, DAY, BUSINESS = Unit.MONTHS, Unit.DAYS, Unit.BUSINESS_DAYS


def days(text: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(each) for each in text.split())


OWN = {
    "berlin": Regime(
        slug="berlin",
        name="Berlin",
        answer=Term(1, MONTH),
        extension=Term(2, MONTH),
        moves=True,
        holidays=days(
            "2026-01-01 2026-04-03 2026-04-06 2026-05-01 2026-05-14 2026-05-25 2026-10-03 2026-12-25 2026-12-26 "
            "2027-01-01 2027-03-26 2027-03-29"
        ),
    ),
    "dubai": Regime(
        slug="dubai",
        name="Dubai",
        answer=Term(30, DAY),
        acknowledge=Term(3, BUSINESS),
        weekend=frozenset({4, 5}),
        holidays=days("2026-12-02 2026-12-03"),
        moves=True,
    ),
    "strict": Regime(
        slug="strict",
        name="Strict",
        answer=Term(15, BUSINESS),
        extension=Term(25, BUSINESS),
        acknowledge=Term(2, BUSINESS),
        holidays=days("2026-11-26 2026-12-25 2027-01-01"),
    ),
    "daily": Regime(slug="daily", name="Daily", answer=Term(15, DAY), extension=Term(15, DAY), weekend=frozenset()),
}
ALL = {**regimes.BUILT_IN, **OWN}


def named(case: dict[str, str]) -> str:
    longer = "-extended" if case["extension"] == "yes" else ""
    return f"{case['regime']}-{case['right']}-{case['received_at']}-{case['zone']}{longer}-{case['paused_days']}"


def test_the_table_is_large_enough() -> None:
    assert len(CASES) >= 200
    assert len({named(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_deadlines_are_those_of_the_table(case: dict[str, str]) -> None:
    found = compute(
        regime=ALL[case["regime"]],
        right=Right(case["right"]),
        received_at=datetime.fromisoformat(case["received_at"]),
        zone=case["zone"],
        extended=case["extension"] == "yes",
        paused_days=int(case["paused_days"]),
    )
    assert str(found.due_on) == case["due"]
    assert str(found.acknowledge_by or "") == case["acknowledge_by"]
    assert found.due_at == datetime.fromisoformat(case["due_at"])


def test_how_a_date_was_found_is_said() -> None:
    found = compute(
        regime=regimes.BUILT_IN["gdpr"],
        right=Right.ACCESS,
        received_at=datetime(2026, 1, 30, 23, 30, tzinfo=UTC),
        zone="Europe/Berlin",
    )
    assert found.because == (
        "Received on Sat 2026-01-31 in Europe/Berlin.",
        "GDPR gives 1 month: until Sat 2026-02-28, the last day of a month that is shorter.",
        "That is no working day; the next one is Mon 2026-03-02.",
    )


@pytest.mark.parametrize(("regime", "right"), [("ccpa", Right.OPT_OUT), ("dubai", Right.ACCESS)])
def test_what_cannot_be_extended_is_refused(regime: str, right: Right) -> None:
    with pytest.raises(ValueError, match="knows no extension"):
        compute(regime=ALL[regime], right=right, received_at=datetime.now(UTC), zone="UTC", extended=True)


ZONES = ["UTC", "Europe/Berlin", "America/Los_Angeles", "Africa/Cairo", "America/Havana", "Pacific/Kiritimati"]
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))


@given(st.sampled_from(sorted(ALL)), MOMENTS, st.sampled_from(ZONES))
def test_the_last_moment_lies_between_the_last_day_and_the_next(slug: str, received_at: datetime, zone: str) -> None:
    found = compute(regime=ALL[slug], right=Right.ACCESS, received_at=received_at, zone=zone)
    before, after = found.due_at - timedelta(seconds=1), found.due_at
    assert before.astimezone(ZoneInfo(zone)).date() == found.due_on
    assert after.astimezone(ZoneInfo(zone)).date() > found.due_on
    assert found.due_at == end_of(found.due_on, zone)


@given(st.sampled_from(sorted(ALL)), MOMENTS, st.sampled_from(ZONES), st.integers(0, 20))
def test_later_receipt_is_never_due_earlier(slug: str, received_at: datetime, zone: str, later: int) -> None:
    first = compute(regime=ALL[slug], right=Right.ACCESS, received_at=received_at, zone=zone)
    second = compute(regime=ALL[slug], right=Right.ACCESS, received_at=received_at + timedelta(days=later), zone=zone)
    assert first.due_on <= second.due_on


@given(st.sampled_from(["gdpr", "uk_gdpr", "ccpa", "berlin", "strict", "daily"]), MOMENTS, st.sampled_from(ZONES))
def test_an_extension_gives_more_time(slug: str, received_at: datetime, zone: str) -> None:
    plain, longer = (
        compute(regime=ALL[slug], right=Right.ACCESS, received_at=received_at, zone=zone, extended=extended)
        for extended in (False, True)
    )
    assert plain.due_on < longer.due_on
    assert plain.acknowledge_by == longer.acknowledge_by
