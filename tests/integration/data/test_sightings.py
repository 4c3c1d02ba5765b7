"""Keys of this installation that go through it are noticed, wherever they stand and however they come in pieces."""

import asyncio
from typing import Any

import pytest

from accounts import tokens
from accounts.models import ApiKey
from gateway.actions import leaks
from gateway.models import Leak
from tests import factories
from tests.factories import THE_SYSTEM
from tests.factories.guards import a_guard_policy
from tests.integration.data.world import Client, Story, World, there


async def seen(world: World, **fields: Any) -> tuple[Client, list[tuple[str, str, str]]]:
    """A request, and what was noted of the keys in it."""
    client = world.request(**fields)
    await client.run()
    await world.plane.sightings.flush()
    return client, await there(lambda: list(Leak.objects.values_list("public_id", "place", "request_id")))


@pytest.fixture(autouse=True)
def _no_leaks(databases: None) -> None:
    Leak.objects.all().delete()


def public_id(text: str) -> str:
    return text.split("_")[2]


def message(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def test_a_key_in_a_prompt_ends(story: Story) -> None:
    key, text = factories.a_key()

    async def tell(world: World) -> None:
        client, noted = await seen(world, **message(f"export KEY={text};"))
        assert client.status == 200
        assert noted == [(public_id(text), "prompt", client.request_id)]

    story(tell)
    assert leaks.handle_all(by=THE_SYSTEM) == 1
    assert ApiKey.objects.get(pk=key.pk).status == "revoked"


def test_the_key_that_asks_ends_too(story: Story) -> None:
    async def tell(world: World) -> None:
        _, noted = await seen(world, **message(world.secret))
        assert [place for _, place, _ in noted] == ["prompt"]
        await there(lambda: leaks.handle_all(by=THE_SYSTEM))
        async with asyncio.timeout(5):
            while (await seen(world))[0].status != 401:
                await asyncio.sleep(0.01)

    story(tell)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_key_in_an_answer_is_noticed(story: Story, stream: bool) -> None:
    _, text = factories.a_key()

    async def tell(world: World) -> None:
        await there(a_guard_policy, world.tenant)  # in which no guard takes it out of the prompt
        client = world.request(stream=stream, sandbox={"text": f"It is {text}.", "chunks": 40})
        await client.run()
        assert (text.encode() in client.body) is not stream, "a stream has it in pieces"
        assert set(world.plane.sightings._seen) == {(text, "prompt"), (text, "answer")}

    story(tell)


def test_what_is_no_key_of_here_leaves_nothing(story: Story) -> None:
    async def tell(world: World) -> None:
        client, noted = await seen(world, **message(f"{tokens.generate('dev').text} pcl_ pcl_dev_"))
        assert client.status == 200
        assert noted == []

    story(tell)


def test_a_request_that_is_refused_has_shown_its_key_too(story: Story) -> None:
    _, text = factories.a_key()

    async def tell(world: World) -> None:
        client, noted = await seen(world, model="nothing-like-it", **message(text))
        assert client.status == 404
        assert len(noted) == 1

    story(tell)
