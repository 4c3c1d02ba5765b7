"""Work in turns with the requests that are served."""

import asyncio
import time

import pytest

from gateway import turns
from gateway.turns import Turns


def paused(monkeypatch: pytest.MonkeyPatch, work: Turns) -> list[float]:
    """How long each of two turns was given away for."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def give() -> None:
        await work.give()
        await work.give()

    with monkeypatch.context() as patched:
        patched.setattr(turns.asyncio, "sleep", sleep)  # type: ignore[attr-defined]
        asyncio.run(give())
    return pauses


def test_a_turn_ends_with_its_time_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    work = Turns()
    seen = [work.are_over]
    now += turns.TURN_S
    seen.append(work.are_over)
    asyncio.run(work.give())
    assert [*seen, work.are_over] == [False, True, False]


def test_a_turn_begins_when_the_work_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    work = Turns()
    now += 2 * turns.TURN_S  # a wait for something else
    work.begin()
    assert not work.are_over


def test_others_have_the_loop_to_themselves_between_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paused(monkeypatch, Turns()) == [turns.PAUSE_S] * 2


def test_who_is_behind_only_lets_others_through(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paused(monkeypatch, Turns(is_hurried=lambda: True)) == [0, 0]


@pytest.mark.parametrize("hurried", [True, False])
def test_work_says_whether_there_is_time_for_pauses(hurried: bool) -> None:
    assert Turns(is_hurried=lambda: hurried).are_hurried is hurried
