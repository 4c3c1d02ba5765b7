"""Clients that leave, as they are noticed while an answer is made."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.http.leaving import ClientLeft, Leaving

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Client:
    """Says that it has left when it has; counts how often it was asked, and who stopped listening."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.asked = 0
        self.given_up = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        try:
            await self.left.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return {"type": "http.disconnect"}


def test_one_that_leaves_cancels_what_is_done_for_it() -> None:
    async def story() -> None:
        client = Client()
        asyncio.get_running_loop().call_later(0.03, client.left.set)
        with pytest.raises(ClientLeft), Leaving(asked_after_s=0.01).watch(client.receive):
            await asyncio.sleep(10)
        await asyncio.sleep(0)  # the task goes on: it is not cancelled any more

    asyncio.run(asyncio.wait_for(story(), 5))


def test_one_that_has_left_before_anybody_asked_is_noticed_then() -> None:
    async def story() -> None:
        client = Client()
        client.left.set()
        with pytest.raises(ClientLeft), Leaving(asked_after_s=0.01).watch(client.receive):
            await asyncio.sleep(10)

    asyncio.run(asyncio.wait_for(story(), 5))


def test_one_that_has_its_answer_soon_is_not_asked_about() -> None:
    async def story() -> None:
        client, leaving = Client(), Leaving(asked_after_s=0.05)
        with leaving.watch(client.receive):
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert client.asked == 0

    asyncio.run(story())


def test_nobody_listens_for_one_that_has_its_answer() -> None:
    async def story() -> None:
        client = Client()
        with Leaving(asked_after_s=0.01).watch(client.receive):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0)
        assert (client.asked, client.given_up) == (1, 1)

    asyncio.run(story())


def test_who_is_cancelled_for_another_reason_stays_so() -> None:
    async def story() -> None:
        client = Client()

        async def answered() -> None:
            with Leaving(asked_after_s=0.01).watch(client.receive):
                await asyncio.sleep(10)

        task = asyncio.ensure_future(answered())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
