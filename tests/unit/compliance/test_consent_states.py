"""Which state of a consent may follow which."""

import itertools

import pytest

from compliance.consent_states import ALLOWING, FOLLOWS, NOTHING, STATES, WITHDRAWABLE, require
from compliance.errors import IllegalTransition

LEGAL = {
    NOTHING: "requested given refused",
    "requested": "requested given refused expired terminated invalidated",
    "given": "refused reaffirmed withdrawn expired terminated invalidated",
    "refused": "requested given refused terminated invalidated",
    "reaffirmed": "refused reaffirmed withdrawn expired terminated invalidated",
    "withdrawn": "requested given refused terminated invalidated",
    "expired": "requested given refused reaffirmed withdrawn terminated invalidated",
    "terminated": "requested given refused",
    "invalidated": "requested given refused",
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product([NOTHING, *STATES], STATES)))
def test_every_pair_is_either_in_the_table_or_refused_with_what_to_send(before: str, after: str) -> None:
    if after in LEGAL[before].split():
        require(before, after)
        return
    with pytest.raises(IllegalTransition) as refusal:
        require(before, after)
    told = str(refusal.value)
    assert after in told
    assert any(state in told.partition(after)[2] for state in LEGAL[before].split())


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert FOLLOWS.keys() == {NOTHING, *STATES}
    assert set().union(*FOLLOWS.values()) == set(STATES)


def test_whatever_allows_something_can_be_withdrawn() -> None:
    assert ALLOWING < WITHDRAWABLE == {"given", "reaffirmed", "expired"}


def test_there_is_no_way_back_to_allowing_but_to_be_asked_again() -> None:
    assert {state for state, after in FOLLOWS.items() if "reaffirmed" in after} == {"given", "reaffirmed", "expired"}
