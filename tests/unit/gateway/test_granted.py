"""Of whom something was stored lately."""

import time

import pytest

from gateway import granted
from gateway.content import Wish
from gateway.granted import Granted

ADA: Wish = (1, "eu_ada", "store_conversations", False)
BOB: Wish = (1, "eu_bob", "store_conversations", False)
BOTH = [ADA, BOB]


@pytest.fixture
def lately(monkeypatch: pytest.MonkeyPatch) -> Granted:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    found = Granted()
    found.add([ADA])
    return found


def test_who_was_granted_lately_need_not_be_asked_about(lately: Granted) -> None:
    assert lately.others(BOTH) == [BOB]


def test_what_was_granted_for_one_purpose_says_nothing_about_another(lately: Granted) -> None:
    training = (1, "eu_ada", "training", False)
    assert lately.others([training]) == [training]


def test_all_are_asked_about_again_once_something_has_changed(lately: Granted) -> None:
    lately.forget()
    assert lately.others(BOTH) == BOTH


def test_nobody_is_remembered_for_more_than_twice_that_time(lately: Granted, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for now in (1.0, granted.KEPT_S + 1, 2 * granted.KEPT_S, 2 * granted.KEPT_S + 2):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        seen.append(lately.others([ADA]))
    assert seen == [[], [], [], [ADA]]


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granted, "MOST_KEPT", 4)
    lately, seen = Granted(), 0
    for number in range(20):
        wish = (1, f"eu_{number}", "", False)
        assert lately.others([wish]) == [wish]
        lately.add([wish])
        seen = max(seen, len(lately._lately) + len(lately._before))
    assert seen == 4
