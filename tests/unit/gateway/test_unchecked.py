"""Whether a guard refused what it saw, or could not look, is said by what it left on record."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import ContentRefused, ContentUnchecked
from gateway.guards.base import Action, Direction, Role
from gateway.guards.verdicts import Outcome
from gateway.unchecked import told_apart

REFUSED = ContentRefused("secrets", Direction.PROMPT)


def outcome(error: str = "", **fields: Any) -> Outcome:
    about: dict[str, Any] = {"guard": "secrets", "action": Action.BLOCK, "direction": Direction.PROMPT, **fields}
    return Outcome(rule="", role=Role.USER, place="", error=error, **about)


def told(*outcomes: Outcome) -> type[ContentRefused]:
    exchange: Any = SimpleNamespace(guard_outcomes=list(outcomes), guard_streams=[])
    return type(told_apart(REFUSED, exchange))


@pytest.mark.parametrize("error", ["raised", "budget"])
def test_a_guard_that_failed_could_not_check(error: str) -> None:
    assert told(outcome(error)) is ContentUnchecked


@pytest.mark.parametrize(
    "others",
    [
        [],
        [outcome()],
        [outcome("raised"), outcome()],
        [outcome(), outcome("raised", guard="abuse")],
        [outcome(), outcome("raised", direction=Direction.ANSWER)],
        [outcome(), outcome("raised", action=Action.LOG)],
    ],
    ids=["no record", "found", "both", "another guard failed", "in the answer", "let through"],
)
def test_what_was_found_is_why_it_is_refused(others: list[Outcome]) -> None:
    assert told(*others) is ContentRefused


def test_of_a_stream_what_was_found_so_far_counts() -> None:
    exchange: Any = SimpleNamespace(guard_outcomes=[], guard_streams=[SimpleNamespace(outcomes=[outcome("budget")])])
    assert "could not be checked" in str(told_apart(REFUSED, exchange))
    assert exchange.guard_outcomes == [outcome("budget")]
