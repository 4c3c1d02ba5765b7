"""Work in turns with the requests that are served."""

import asyncio
import time
from collections.abc import Awaitable

import pytest

from gateway import turns
from gateway.turns import InHand, Turns

FOREVER_S = 3_600.0


async def goes_on(in_hand: InHand, *, hurried: bool = False) -> bool:
    """Whether work that gave its turn away goes on within a moment."""
    given = asyncio.create_task(Turns(in_hand, is_hurried=lambda: hurried).give())
    done, _ = await asyncio.wait({given}, timeout=0.05)
    given.cancel()
    return bool(done)


def test_a_turn_ends_with_its_time_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    work = Turns(InHand())
    seen = [work.are_over]
    now += turns.TURN_S
    seen.append(work.are_over)
    asyncio.run(work.give())
    assert [*seen, work.are_over] == [False, True, False]


def test_a_turn_begins_when_the_work_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    work = Turns(InHand())
    now += 2 * turns.TURN_S  # a wait for something else
    work.begin()
    assert not work.are_over


class TestWhoGivesATurn:
    @pytest.fixture(autouse=True)
    def _never_tired_of_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(turns, "PAUSE_MOST_S", FOREVER_S)

    def test_goes_on_where_nobody_is_served(self) -> None:
        assert asyncio.run(goes_on(InHand()))

    def test_waits_until_nobody_is(self) -> None:
        async def served() -> list[bool]:
            in_hand, seen = InHand(), list[bool]()
            with in_hand.one_more:
                with in_hand.one_more:
                    seen.append(await goes_on(in_hand))
                seen.append(await goes_on(in_hand))
            seen.append(await goes_on(in_hand))
            return seen

        assert asyncio.run(served()) == [False, False, True]

    def test_goes_on_when_the_last_one_is_done(self) -> None:
        async def served() -> None:
            in_hand = InHand()
            with in_hand.one_more:
                given = asyncio.create_task(Turns(in_hand).give())
                await asyncio.sleep(0.01)
            await given

        asyncio.run(asyncio.wait_for(served(), timeout=60))

    def test_does_not_wait_for_those_that_wait_for_an_upstream(self) -> None:
        async def served() -> list[bool]:
            in_hand, seen = InHand(), list[bool]()
            with in_hand.one_more:
                with in_hand.one_less:
                    seen.append(await goes_on(in_hand))
                seen.append(await goes_on(in_hand))
            return seen

        assert asyncio.run(served()) == [True, False]

    def test_looks_again_when_the_next_one_begins_at_once(self) -> None:
        async def served() -> bool:
            in_hand = InHand()
            with in_hand.one_more:
                given = asyncio.create_task(Turns(in_hand).give())
                await asyncio.sleep(0.01)
                with in_hand.one_less:
                    pass
                done, _ = await asyncio.wait({given}, timeout=0.05)
            await given
            return bool(done)

        assert not asyncio.run(asyncio.wait_for(served(), timeout=60))

    def test_does_not_wait_for_who_was_refused(self) -> None:
        in_hand = InHand()
        with pytest.raises(ValueError, match="no"), in_hand.one_more, in_hand.one_less:
            raise ValueError("no")
        assert len(in_hand) == 0
        assert asyncio.run(goes_on(in_hand))

    def test_only_lets_others_through_when_behind(self) -> None:
        in_hand = InHand()
        with in_hand.one_more:
            assert asyncio.run(goes_on(in_hand, hurried=True))


def test_nobody_waits_for_long_for_a_moment_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAUSE_MOST_S", 0.01)
    in_hand = InHand()
    with in_hand.one_more:
        asyncio.run(asyncio.wait_for(Turns(in_hand).give(), timeout=FOREVER_S))


@pytest.mark.parametrize("hurried", [False, True])
def test_others_come_first_all_the_same(hurried: bool) -> None:
    """What is ready to run does, before work goes on."""

    async def order() -> list[str]:
        seen = list[str]()

        async def note(what: str, first: Awaitable[None] | None = None) -> None:
            if first is not None:
                await first
            seen.append(what)

        work = Turns(InHand(), is_hurried=lambda: hurried)
        await asyncio.gather(note("work", work.give()), note("a request"))
        return seen

    assert asyncio.run(order()) == ["a request", "work"]


def test_turns_are_long_while_there_is_no_moment_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAUSE_MOST_S", 0.01)

    async def told() -> list[bool]:
        in_hand, seen = InHand(), list[bool]()
        work = Turns(in_hand)
        for _ in range(2):
            await work.give()
            seen.append(work.are_long)
            with in_hand.one_more:
                await work.give()
                seen.append(work.are_long)
        await work.give()
        return [*seen, work.are_long]

    assert asyncio.run(told()) == [False, True, False, True, False]


def test_a_long_turn_ends_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    work = Turns(InHand())
    work.are_long = True
    work.begin()
    now += turns.TURN_S
    seen = [work.are_over]
    now += turns.LONG_TURN_S - turns.TURN_S
    assert [*seen, work.are_over] == [False, True]
