"""Waits end with what is waited for, or when their time is over, whichever comes first."""

import asyncio
import time

import pytest

from gateway.patience import Patience


def test_it_ends_with_what_is_waited_for() -> None:
    async def story() -> None:
        patience, done = Patience(60), asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, done.set_result, True)
        await asyncio.wait_for(patience.wait(done), 5)
        await patience.wait(done)  # has been there before

    asyncio.run(story())


def test_a_failure_ends_it_and_stays_where_it_is() -> None:
    async def story() -> None:
        patience, failing = Patience(60), asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(failing.set_exception, ValueError("settled otherwise"))
        await asyncio.wait_for(patience.wait(failing), 5)
        with pytest.raises(ValueError, match="settled otherwise"):
            failing.result()

    asyncio.run(story())


def test_it_ends_when_its_time_is_over_and_leaves_the_future_alone() -> None:
    async def story() -> None:
        patience = Patience(0.05)
        never = [asyncio.get_running_loop().create_future() for _ in range(3)]
        began = time.monotonic()
        first = asyncio.gather(*(patience.wait(each) for each in never[:2]))
        await asyncio.sleep(0.03)
        await asyncio.gather(first, patience.wait(never[2]))
        assert time.monotonic() - began >= 0.08, "each has all of its time"
        assert not any(each.done() for each in never)
        await patience.wait(never[0])  # the timer goes on when it is needed again

    asyncio.run(asyncio.wait_for(story(), 10))


def test_who_gives_up_waiting_is_forgotten() -> None:
    async def story() -> None:
        patience, never = Patience(60), asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(patience.wait(never))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not never.cancelled()
        never.set_result(True)
        await asyncio.sleep(0)
        assert len(patience._waiting) == 0

    asyncio.run(story())
