"""Many questions, few calls, and for everybody the answer to their own."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.gathering import Gathering


class Source:
    """Answers with the item in capitals; `gate` holds the answers back."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def __call__(self, items: tuple[str, ...]) -> dict[str, str]:
        self.calls.append(items)
        self.called.set()
        await self.gate.wait()
        if self.broken:
            raise OSError("broken")
        return {item: item.upper() for item in items if item != "unknown"}


def story(tell: Callable[[Gathering[str, str], Source], Awaitable[None]], *, most: int = 256) -> None:
    async def run() -> None:
        source = Source()
        await tell(Gathering(source, most=most), source)

    asyncio.run(run())


def test_it_works() -> None:
    async def tell(gathering: Gathering[str, str], source: Source) -> None:
        assert await gathering.ask("a") == "A"
        assert await gathering.ask("a") == "A"
        assert source.calls == [("a",), ("a",)], "nothing is kept"

    story(tell)


def test_what_comes_during_a_call_makes_up_the_next() -> None:
    async def tell(gathering: Gathering[str, str], source: Source) -> None:
        source.gate.clear()
        first = asyncio.create_task(gathering.ask("a"))
        await source.called.wait()
        later = [asyncio.create_task(gathering.ask(item)) for item in ("a", "b", "a", "c")]
        await asyncio.sleep(0)
        assert source.calls == [("a",)], "one call at a time"
        source.gate.set()
        assert await first == "A"
        assert await asyncio.gather(*later) == ["A", "B", "A", "C"]
        assert source.calls == [("a",), ("a", "b", "c")], "who asks during a call is not answered from before"

    story(tell)


def test_a_call_is_no_larger_than_it_may_be() -> None:
    async def tell(gathering: Gathering[str, str], source: Source) -> None:
        items = list("abcde")
        assert await asyncio.gather(*map(gathering.ask, items)) == list("ABCDE")
        assert [len(call) for call in source.calls] == [2, 2, 1]

    story(tell, most=2)


def test_a_failure_reaches_those_who_asked_and_nobody_after_them() -> None:
    async def tell(gathering: Gathering[str, str], source: Source) -> None:
        source.broken = True
        failures = await asyncio.gather(gathering.ask("a"), gathering.ask("b"), return_exceptions=True)
        assert [type(failure) for failure in failures] == [OSError, OSError]
        source.broken = False
        assert await gathering.ask("a") == "A"

    story(tell)


def test_what_has_no_answer_is_told_so() -> None:
    async def tell(gathering: Gathering[str, str], source: Source) -> None:
        answers = await asyncio.gather(gathering.ask("unknown"), gathering.ask("b"), return_exceptions=True)
        assert isinstance(answers[0], LookupError)
        assert answers[1] == "B"

    story(tell)


def test_who_leaves_takes_the_answer_from_nobody() -> None:
    async def tell(gathering: Gathering[str, str], source: Source) -> None:
        source.gate.clear()
        leaving, staying = (asyncio.create_task(gathering.ask("a")) for _ in range(2))
        await source.called.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        source.gate.set()
        assert await staying == "A"

    story(tell)


def test_what_is_only_mentioned_is_asked_for_and_may_fail_unheard() -> None:
    async def tell(gathering: Gathering[str, str], source: Source) -> None:
        source.broken = True
        gathering.mention("a")
        with pytest.raises(OSError, match="broken"):
            await gathering.ask("b")
        assert source.calls == [("a", "b")]

    story(tell)
