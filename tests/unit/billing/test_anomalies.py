"""What is unusual, and that neither incidents of the past nor small change decide it."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.anomalies import LEAST_EXCESS, LEAST_HISTORY, median, most_usual

DOLLAR = 1_000_000_000
amounts = st.integers(0, 10**15)
histories = st.lists(amounts, min_size=LEAST_HISTORY, max_size=12)


def test_it_works() -> None:
    """Iglewicz and Hoaglin's cutoff: the median is 10 dollars, the MAD 4, so the bound is 10 + 3.5 / 0.6745 · 4."""
    dollars = [2, 6, 10, 14, 18]
    most = most_usual([dollar * DOLLAR for dollar in dollars], least_excess=0)
    assert most == int((10 + Fraction(35_000, 6745) * 4) * DOLLAR) == 30_756_115_641


@pytest.mark.parametrize("weeks", range(LEAST_HISTORY))
def test_too_short_a_past_tells_nothing(weeks: int) -> None:
    assert most_usual([DOLLAR] * weeks, least_excess=0) is None


@pytest.mark.parametrize(
    ("amount", "unusual"),
    [
        pytest.param(0, False, id="nothing"),
        pytest.param(10, False, id="as ever"),
        pytest.param(14, False, id="somewhat more"),
        pytest.param(16, True, id="more than half as much again"),
        pytest.param(1000, True, id="far more"),
    ],
)
def test_where_the_past_is_all_alike_a_few_per_cent_are_no_news(amount: int, unusual: bool) -> None:
    most = most_usual([10] * 8, least_excess=0)
    assert most is not None
    assert (amount > most) is unusual


def test_small_change_is_never_unusual() -> None:
    most = most_usual([0] * 8, least_excess=DOLLAR)
    assert most == DOLLAR


@given(histories, st.integers(0, 10**12))
def test_what_the_middle_of_the_past_has_cost_is_usual(history: list[int], least: int) -> None:
    most = most_usual(history, least_excess=least)
    assert most is not None
    assert sorted(history)[len(history) // 2 - 1] <= most
    assert median(history) + least < most + 1


@given(st.lists(amounts, min_size=5, max_size=12), st.data())
def test_outliers_of_the_past_hide_nothing(clean: list[int], data: st.DataObject) -> None:
    """Fewer than half of the past, however large: the bound stays within what the others allow."""
    spoilt = (len(clean) - 1) // 2
    outliers = data.draw(st.lists(st.integers(0, 10**18), min_size=spoilt, max_size=spoilt))
    most = most_usual([*clean[spoilt:], *outliers], least_excess=0)
    kept = clean[spoilt:]
    spread = Fraction(35_000, 6745) * (max(kept) - min(kept))
    assert most is not None
    assert most <= max(kept) + max(spread, LEAST_EXCESS * max(kept))


@given(st.integers(DOLLAR, 10**14), st.integers(0, 3), st.integers(10, 1000))
def test_an_incident_is_seen_although_there_were_others(usual: int, incidents: int, times: int) -> None:
    history = [usual] * (8 - incidents) + [usual * times] * incidents
    most = most_usual(history, least_excess=DOLLAR)
    assert most is not None
    assert usual * times > most


@given(st.integers(DOLLAR, 10**14), st.integers(0, 3))
def test_quiet_weeks_do_not_make_an_ordinary_one_unusual(usual: int, quiet: int) -> None:
    most = most_usual([usual] * (8 - quiet) + [0] * quiet, least_excess=DOLLAR)
    assert most is not None
    assert usual <= most


@given(histories, st.randoms())
def test_the_order_of_weeks_does_not_matter(history: list[int], random: object) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert most_usual(history, least_excess=1) == most_usual(shuffled, least_excess=1)


@given(histories, st.integers(1, 1000))
def test_it_scales_with_the_amounts(history: list[int], factor: int) -> None:
    one, many = most_usual(history, least_excess=0), most_usual([a * factor for a in history], least_excess=0)
    assume(one is not None and many is not None)
    assert one is not None
    assert many is not None
    assert one * factor <= many <= (one + 1) * factor


@given(st.lists(amounts, min_size=1))
def test_the_median_has_as_many_below_as_above(values: list[int]) -> None:
    middle = median(values)
    assert sum(value < middle for value in values) <= len(values) / 2
    assert sum(value > middle for value in values) <= len(values) / 2
