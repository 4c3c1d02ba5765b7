"""Tokens become money, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import money
from billing.money import Rates, Tokens

counts = st.integers(0, 10**7)
prices = st.integers(0, 10**12)
rates = st.builds(
    Rates, input_nano=prices, output_nano=prices, cached_input_nano=prices, cache_write_nano=prices, request_nano=prices
)
any_rates = st.builds(
    Rates,
    input_nano=prices,
    output_nano=prices,
    cached_input_nano=prices,
    cache_write_nano=prices,
    request_nano=prices,
    reasoning_nano=st.none() | prices,
    search_nano=st.none() | prices,
)


def test_it_works() -> None:
    gpt = Rates(
        input_nano=2_500_000_000, output_nano=10_000_000_000, cached_input_nano=1_250_000_000, cache_write_nano=0
    )
    tokens = Tokens(input=1_000, output=200, cached_input=400, reasoning=150)
    assert money.cost_nano(tokens, gpt) == 600 * 2_500 + 400 * 1_250 + 200 * 10_000


@given(counts, counts, counts, counts, rates)
def test_the_cost_is_rounded_up_once(plain: int, cached: int, written: int, output: int, price: Rates) -> None:
    tokens = Tokens(input=plain + cached + written, output=output, cached_input=cached, cache_write=written)
    exact = Fraction(
        plain * price.input_nano
        + cached * price.cached_input_nano
        + written * price.cache_write_nano
        + output * price.output_nano,
        1_000_000,
    )
    charged = money.cost_nano(tokens, price) - price.request_nano
    assert exact <= charged < exact + 1


@given(counts, counts, counts, counts, counts, any_rates, st.booleans())
def test_no_request_within_its_bounds_costs_more_than_its_hold(
    plain: int, cached: int, written: int, output: int, reasoning: int, price: Rates, searches: bool
) -> None:
    tokens = Tokens(plain + cached + written, output, cached_input=cached, cache_write=written, reasoning=reasoning)
    hold = money.hold_nano(input_tokens=tokens.input, output_tokens=output, rates=price, searches=searches)
    assert money.cost_nano(tokens, price, searches=searches) <= hold


@pytest.mark.parametrize(
    ("reasoning_nano", "reasoning", "cost"),
    [
        pytest.param(None, 150, 200 * 10, id="as other output"),
        pytest.param(2_000_000, 150, 50 * 10 + 150 * 2, id="cheaper"),
        pytest.param(30_000_000, 150, 50 * 10 + 150 * 30, id="dearer"),
        pytest.param(0, 200, 0, id="all of it, and free"),
        pytest.param(30_000_000, 500, 200 * 30, id="reported as more than all output"),
    ],
)
def test_reasoning_may_have_a_price_of_its_own(reasoning_nano: int | None, reasoning: int, cost: int) -> None:
    price = Rates(
        input_nano=0, output_nano=10_000_000, cached_input_nano=0, cache_write_nano=0, reasoning_nano=reasoning_nano
    )
    tokens = Tokens(output=200, reasoning=reasoning)
    assert money.cost_nano(tokens, price) == cost
    assert money.hold_nano(input_tokens=0, output_tokens=200, rates=price) >= cost


@given(st.integers(-(2**62), 2**62))
def test_dollars_and_back(nano: int) -> None:
    assert money.from_dollars(money.to_dollars(nano)) == nano


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        pytest.param(0, "$0.00", id="nothing"),
        pytest.param(1_234_500_000_000, "$1,234.50", id="thousands"),
        pytest.param(14_400, "$0.000014", id="too little for cents"),
        pytest.param(1, "$0.0000000010", id="one nano-dollar"),
        pytest.param(-2_500_000_000, "$-2.50", id="a credit"),
    ],
)
def test_dollars_read_well(nano: int, shown: str) -> None:
    assert money.show(nano) == shown


def test_what_is_finer_than_a_nano_dollar_is_rounded() -> None:
    assert money.from_dollars(Decimal("0.0000000015")) == 2
