"""What happens after a while, to many at once."""

import asyncio
from typing import Any

from gateway.one_timer import OneTimer


def test_each_is_due_in_its_turn_but_those_that_were_dropped() -> None:
    async def story() -> None:
        due: list[str] = []
        timer: OneTimer[str] = OneTimer(0.02, due.append)
        for item in ("first", "dropped", "second"):
            timer.add(item)
        timer.drop("dropped")
        timer.drop("never added")
        await asyncio.sleep(0.01)
        timer.add("later")
        assert due == []
        await asyncio.sleep(0.018)
        assert due in (["first", "second"], ["first", "second", "later"])
        await asyncio.sleep(0.05)
        assert due == ["first", "second", "later"]
        assert len(timer) == 0
        timer.add("anew")
        await asyncio.sleep(0.05)
        assert due[-1] == "anew"

    asyncio.run(story())


def test_one_that_fails_is_told_and_keeps_no_other_from_its_turn() -> None:
    async def story() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        seen: list[str] = []

        def due(item: str) -> None:
            seen.append(item)
            if item == "bad":
                raise ValueError(item)

        timer: OneTimer[str] = OneTimer(0.01, due)
        timer.add("bad")
        timer.add("good")
        await asyncio.sleep(0.05)
        assert seen == ["bad", "good"]
        assert [str(error) for error in told] == ["bad"]

    asyncio.run(story())
