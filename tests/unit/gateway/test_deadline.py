"""Limits of time that share one timer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.http.deadline import Deadline, Deadlines

Story = Callable[[Deadlines], Awaitable[None]]


def run(story: Story, *, seconds: float = 0.05) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await story(Deadlines(seconds))

    asyncio.run(bounded())


async def waiting(deadlines: Deadlines, done: asyncio.Event) -> bool:
    """Waits for `done`; tells whether a deadline has ended that."""
    deadline = deadlines.begin()
    try:
        await done.wait()
    except asyncio.CancelledError:
        if deadline.has_cancelled():
            return True
        raise
    finally:
        deadline.lift()
    return False


def test_it_works() -> None:
    async def story(deadlines: Deadlines) -> None:
        assert await waiting(deadlines, asyncio.Event())

    run(story)


def test_each_passes_at_its_own_time_and_none_that_was_lifted() -> None:
    async def story(deadlines: Deadlines) -> None:
        loop, began = asyncio.get_running_loop(), {}
        quick = asyncio.Event()
        took = {}

        async def one(name: str, done: asyncio.Event) -> bool:
            began[name] = loop.time()
            passed = await waiting(deadlines, done)
            took[name] = loop.time() - began[name]
            return passed

        lifted = asyncio.create_task(one("lifted", quick))
        first = asyncio.create_task(one("first", asyncio.Event()))
        await asyncio.sleep(0)
        quick.set()
        await lifted
        while loop.time() < began["first"] + 0.03:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(one("second", asyncio.Event()))
        assert (await lifted, await first, await second) == (False, True, True)
        assert took["first"] >= 0.05
        assert took["second"] >= 0.05
        assert list(took) == ["lifted", "first", "second"]

    run(story)


def test_after_a_quiet_time_there_is_a_timer_again() -> None:
    async def story(deadlines: Deadlines) -> None:
        for _ in range(2):
            assert await waiting(deadlines, asyncio.Event())

    run(story, seconds=0.01)


def test_one_timer_serves_all() -> None:
    async def story(deadlines: Deadlines) -> None:
        loop = asyncio.get_running_loop()
        timers = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "call_at", lambda *arguments, **named: timers.append(arguments))
            begun: list[Deadline] = [deadlines.begin() for _ in range(100)]
        for deadline in begun:
            deadline.lift()
        assert len(timers) == 1

    run(story)


def test_the_cancellation_of_another_is_not_taken_for_its_own() -> None:
    async def story(deadlines: Deadlines) -> None:
        task = asyncio.create_task(waiting(deadlines, asyncio.Event()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(story, seconds=60)
