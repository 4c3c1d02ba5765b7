"""The table of states: complete, without dead ends, the one that the diagram shows and the database checks."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from compliance.models.requests import legal_moves
from compliance.request_states import CLOSED, DECIDED, FIRST, IDENTIFIED, NEXT, State, diagram, is_legal

DOCS = Path(__file__).resolve().parents[3] / "docs" / "subject-requests.md"


def reachable(start: State, *, through: frozenset[State] = frozenset(State)) -> set[State]:
    seen, todo = {start}, [start]
    while todo:
        for after in NEXT[todo.pop()]:
            if after not in seen and after in through:
                seen.add(after)
                todo.append(after)
    return seen


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert set(NEXT) == set(State)
    assert reachable(FIRST) == set(State)


@pytest.mark.parametrize("state", sorted(set(State) - CLOSED))
def test_every_open_state_leads_to_an_end(state: State) -> None:
    assert reachable(state) & CLOSED


def test_the_ends_are_ends() -> None:
    assert {"fulfilled", "refused", "duplicate", "withdrawn"} == CLOSED


def test_nothing_is_executed_without_identity_and_decision() -> None:
    settled = {State.IDENTITY_VERIFIED}
    assert reachable(FIRST, through=frozenset(State) - settled) & {State.EXECUTING} == {State.EXECUTING}
    # By the table alone a side state leads past the check of identity; the database's own condition closes that way.
    assert {State.EXECUTING, State.QUEUED, State.IN_REVIEW} <= IDENTIFIED
    assert {State.EXECUTING, State.QUEUED, State.FULFILLED} <= DECIDED
    assert DECIDED < IDENTIFIED


def pairs() -> Iterator[tuple[State, State]]:
    return ((before, after) for before in State for after in State)


def test_no_state_follows_itself() -> None:
    assert not [before for before, after in pairs() if before == after and is_legal(before, after)]


def test_the_database_checks_the_same_table() -> None:
    checked = {("", str(FIRST))}
    for move in legal_moves().children[1:] if legal_moves().connector == "OR" else []:
        found = dict(getattr(move, "children", []))
        if "state_before" in found and "state__in" in found:
            checked |= {(found["state_before"], after) for after in found["state__in"]}
    assert checked - {("", str(FIRST))} == {
        (str(before), str(after)) for before, after in pairs() if is_legal(before, after)
    }


def test_the_diagram_in_the_documentation_is_the_table() -> None:
    blocks = re.findall(r"```mermaid\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks == [diagram() + "\n"], "run manage.py draw_request_states --write"
