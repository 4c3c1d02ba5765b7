"""Twice the text takes twice the work, whatever is in it. Counted in steps, not in time."""

import sys

import pytest

from benchmarks.guards_speed import HOSTILE
from gateway.guards.base import Action, Direction, Guarding, Role, Terms, Text
from gateway.guards.engine import Engine
from gateway.guards.registry import guards
from gateway.guards.replacing import replacer

SIZE = 12_000


@pytest.fixture(scope="module")
def engine() -> Engine:
    finders = [name for name, guard in guards().items() if guard.rules is not None]
    terms = tuple(Terms(guard=name, action=Action.REDACT) for name in finders)
    return Engine(Guarding(policy_id=1, terms=terms, key=b"k" * 32, budget_ms=100_000))


def steps(engine: Engine, text: str, direction: Direction) -> int:
    """Calls of Python functions while a text is looked at."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(note)
    try:
        engine.look([Text(text, Role.USER, "m")], direction, replace=replacer(engine.guarding))
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("direction", Direction)
def test_work_grows_with_the_text_and_no_faster(engine: Engine, direction: Direction, text: str) -> None:
    small, large = ((text * (size // len(text) + 1))[:size] for size in (SIZE, 3 * SIZE))
    steps(engine, small, direction)  # what is compiled or kept at first
    assert steps(engine, large, direction) < 4 * steps(engine, small, direction) + 2000
