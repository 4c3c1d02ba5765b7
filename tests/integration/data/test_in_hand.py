"""How many requests the gateway itself is busy with: storing waits for moments with none (ADR 37)."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gateway import turns, upstream
from gateway.ledger import Ledger
from tests.factories.guards import a_guard_policy, a_guard_rule
from tests.integration.data.conversations import consenting, decided, the_decision
from tests.integration.data.world import Client, Story, World, there

JSON = {"type": "json_object"}
WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class Seen:
    """How many were in hand whenever an upstream, and the ledger, was asked for something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world: World | None = None
        self.upstream: list[int] = []
        self.ledger: list[int] = []
        for owner, name in (
            (upstream.UpstreamClient, "post"),
            (upstream.UpstreamAnswer, "read"),
            (upstream.UpstreamAnswer, "next_events"),
        ):
            monkeypatch.setattr(owner, name, self._noting(getattr(owner, name), self.upstream))
        for name in ("admit", "settle"):
            monkeypatch.setattr(Ledger, name, self._noting(getattr(Ledger, name), self.ledger))

    def _noting(self, asked: Any, counts: list[int]) -> Any:
        def noted(*arguments: Any, **named: Any) -> Any:
            if self.world is not None:
                counts.append(len(self.world.plane.in_hand))
            return asked(*arguments, **named)

        return noted


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    seen = Seen(monkeypatch)
    yield seen
    assert seen.world is not None
    assert len(seen.world.plane.in_hand) == 0
    assert set(seen.ledger) == {1}, "it is in the gateway's hands while it is admitted and settled"


async def asked(world: World, **fields: Any) -> Client:
    client = world.request(**fields)
    await client.run()
    return client


@WAYS
def test_who_waits_for_the_upstream_is_not_in_hand(story: Story, seen: Seen, streamed: bool) -> None:
    async def tell(world: World) -> None:
        seen.world = world
        assert (await asked(world, stream=streamed, sandbox={"tokens": 3})).status == 200
        assert len(seen.upstream) >= 2
        assert set(seen.upstream) == {0}

    story(tell)


@WAYS
def test_nor_while_the_answer_is_kept_back_and_asked_for_once_more(story: Story, seen: Seen, streamed: bool) -> None:
    async def tell(world: World) -> None:
        rule = a_guard_rule("output_format", settings={"retry": True})
        await there(a_guard_policy, world.tenant, rules=(rule,))
        seen.world = world
        knobs = {"text": "no JSON", "again": "{}", "chunk_ms": 1}
        assert (await asked(world, stream=streamed, response_format=JSON, sandbox=knobs)).status == 200
        assert len(await world.upstream_requests()) == 2
        assert len(seen.upstream) >= 4
        assert set(seen.upstream) == {0}

    story(tell)


@WAYS
@pytest.mark.parametrize("knobs", [{"status": 500}, {"cut": True}, {"hang": True}], ids=["error", "cut", "too late"])
def test_whom_the_upstream_failed_is_not_in_hand_any_more(
    story: Story, seen: Seen, streamed: bool, knobs: dict[str, Any]
) -> None:
    async def tell(world: World) -> None:
        seen.world = world
        assert (await asked(world, stream=streamed, sandbox=knobs)).status >= 500
        assert set(seen.upstream) == {0}

    story(tell)


@WAYS
def test_nor_is_a_client_that_left(story: Story, seen: Seen, streamed: bool) -> None:
    async def tell(world: World) -> None:
        seen.world = world
        client = world.request(stream=streamed, sandbox={"tokens": 1_000, "latency_ms": 500, "chunk_ms": 20})
        running = asyncio.create_task(client.run())
        while not await world.upstream_requests():
            await asyncio.sleep(0.01)
        client.leave()
        await running
        assert len(world.plane.in_hand) == 0

    story(tell)


def test_storing_waits_for_a_moment_without_requests(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAUSE_MOST_S", 3_600.0)

    async def tell(world: World) -> None:
        await there(consenting, world)
        with world.plane.in_hand.one_more:
            client = await asked(world, user="ada")
            storing = asyncio.create_task(decided(world))
            done, _ = await asyncio.wait({storing}, timeout=1.5)
            assert not done
        await storing
        assert await there(the_decision, client) == (True, "")

    story(tell)
