"""Which public ids exist: few queries for many that ask, and an answer for each of them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway import known_ids
from gateway.errors import Unavailable
from gateway.known_ids import KnownIds


class Source:
    """Stands for the database; `gate` holds its answers back."""

    def __init__(self) -> None:
        self.known = {"key-a"}
        self.queries: list[frozenset[str]] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def find(self, public_ids: frozenset[str]) -> frozenset[str]:
        self.queries.append(public_ids)
        self.asked.set()
        await self.gate.wait()
        if self.broken:
            raise OSError
        return public_ids & self.known


def story(tell: Callable[[KnownIds, Source], Awaitable[None]]) -> None:
    async def run() -> None:
        source = Source()
        await tell(KnownIds(source.find), source)

    asyncio.run(run())


def test_it_works() -> None:
    async def tell(ids: KnownIds, source: Source) -> None:
        assert await ids.has("key-a")
        assert not await ids.has("made-up")

    story(tell)


def test_those_that_ask_together_share_a_query() -> None:
    async def tell(ids: KnownIds, source: Source) -> None:
        made_up = [f"made-up-{number}" for number in range(500)]
        answers = await asyncio.gather(*(ids.has(public_id) for public_id in [*made_up, "key-a"]))
        assert answers == [False] * 500 + [True]
        assert source.queries == [frozenset([*made_up, "key-a"])]

    story(tell)


def test_there_is_one_query_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes: what comes meanwhile waits for the next."""
    monkeypatch.setattr(known_ids, "EVERY_S", 0.0)

    async def tell(ids: KnownIds, source: Source) -> None:
        source.gate.clear()
        first = asyncio.ensure_future(ids.has("made-up"))
        await source.asked.wait()
        later = [asyncio.ensure_future(ids.has(public_id)) for public_id in ("key-a", "another")]
        for _ in range(10):
            await asyncio.sleep(0)
        assert source.queries == [{"made-up"}]
        source.gate.set()
        assert await asyncio.gather(first, *later) == [False, True, False]
        assert source.queries == [{"made-up"}, {"key-a", "another"}]

    story(tell)


def test_queries_keep_their_distance() -> None:
    async def tell(ids: KnownIds, source: Source) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(3):
            await ids.has("made-up")
        assert loop.time() - begun >= 2 * known_ids.EVERY_S * 0.9
        assert len(source.queries) == 3

    story(tell)


def test_a_key_made_after_an_answer_is_found_by_the_next() -> None:
    async def tell(ids: KnownIds, source: Source) -> None:
        assert not await ids.has("new")
        source.known.add("new")
        assert await ids.has("new")

    story(tell)


def test_one_who_leaves_does_not_end_the_query_for_the_others() -> None:
    async def tell(ids: KnownIds, source: Source) -> None:
        source.gate.clear()
        leaver, stayer = (asyncio.ensure_future(ids.has("key-a")) for _ in range(2))
        await source.asked.wait()
        leaver.cancel()
        source.gate.set()
        assert await stayer

    story(tell)


def test_a_query_that_fails_is_told_and_the_next_is_asked() -> None:
    async def tell(ids: KnownIds, source: Source) -> None:
        source.broken = True
        answers = await asyncio.gather(ids.has("key-a"), ids.has("made-up"), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
        source.broken = False
        assert await ids.has("key-a")

    story(tell)
