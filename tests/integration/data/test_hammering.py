"""A key that is over its request rate and goes on is answered by the front alone, until it may ask again."""

import asyncio
import json
from typing import Any

import pytest

from accounts.models import ApiKey
from billing.actions import tiers
from billing.models import Subscription, TierLimit
from gateway import hammering, pipeline, refusals
from tests import factories
from tests.integration.data.world import Client, Story, World


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is remembered for longer than a test takes."""
    monkeypatch.setattr(hammering, "REMEMBERED_S", 60.0)


def a_slow_key(**fields: Any) -> tuple[ApiKey, str]:
    """A key that has one request a minute."""
    tenant = factories.a_tenant("umbrella", tier=factories.a_tier(requests_per_minute=1))
    return factories.a_key(tenant=tenant, **fields)


async def asked(world: World, secret: str, *, path: str = "/v1/chat/completions") -> Client:
    client = world.request(path=path)
    client.secret = secret
    await client.run()
    return client


async def hammered(world: World, secret: str) -> tuple[Client, Client]:
    """The refusal of the ledger, and that of memory which follows."""
    assert (await asked(world, secret)).status == 200
    return await asked(world, secret), await asked(world, secret)


def test_it_gets_the_same_refusal_with_the_wait_that_is_left(story: Story, spent: None) -> None:
    async def tell(world: World) -> None:
        first, again = await hammered(world, (await world.plane.bridge.run(a_slow_key))[1])
        assert (first.status, again.status) == (429, 429)
        assert json.loads(again.body)["error"]["type"] == json.loads(first.body)["error"]["type"]
        assert set(first.headers) == set(again.headers)
        for name in set(first.headers) - _changing(first):
            assert first.headers[name] == again.headers[name], name
        assert 0 < int(again.headers[b"retry-after-ms"]) <= int(first.headers[b"retry-after-ms"]) <= 60_000
        assert again.headers[b"retry-after"] in (b"59", b"60")
        assert again.request_id != first.request_id

    story(tell)


def _changing(client: Client) -> set[bytes]:
    ids = {name for name, value in client.headers.items() if value == client.request_id.encode()}
    return ids | {b"retry-after", b"retry-after-ms", b"openai-processing-ms", b"content-length"}


def test_nothing_of_its_request_is_looked_at(story: Story, spent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        _, secret = await world.plane.bridge.run(a_slow_key)
        await hammered(world, secret)

        def fail(*_: object) -> None:
            raise AssertionError("the pipeline has begun")

        monkeypatch.setattr(pipeline, "run", fail)
        assert (await asked(world, secret)).status == 429

    story(tell)


class Lines:
    """Stands in for a log."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.written.append({"event": event, **fields})


def test_each_is_counted_and_one_line_a_second_tells_of_them(
    story: Story, spent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    for module in (refusals, pipeline):
        monkeypatch.setattr(module, "log", lines)

    async def tell(world: World) -> None:
        _, secret = await world.plane.bridge.run(a_slow_key)
        await hammered(world, secret)
        for _ in range(8):
            await asked(world, secret)
        world.plane.refusals.flush()
        assert world.plane.metrics.requests["refused", "rate_limit_exceeded"] == 10

    story(tell)
    assert sum(line["requests"] for line in lines.written if line["event"] == "requests refused again") == 9
    assert [line["code"] for line in lines.written if line["event"] == "request"] == ["", "rate_limit_exceeded"]


def test_a_changed_policy_forgets_it(story: Story, spent: None) -> None:
    async def tell(world: World) -> None:
        key, secret = await world.plane.bridge.run(a_slow_key)
        await hammered(world, secret)

        def eased() -> None:
            subscription = Subscription.objects.get(tenant_id=key.application.tenant_id)
            subscription.tier = factories.a_tier()
            tiers.resubscribe(subscription=subscription, by=factories.THE_SYSTEM)

        await world.plane.bridge.run(eased)
        async with asyncio.timeout(10):
            while (await asked(world, secret)).status != 200:
                await asyncio.sleep(0.01)

    story(tell)


def test_other_endpoints_and_other_networks_get_their_own_answer(story: Story, spent: None) -> None:
    async def tell(world: World) -> None:
        _, secret = await world.plane.bridge.run(lambda: a_slow_key(allowed_networks=["127.0.0.0/8"]))
        await hammered(world, secret)
        assert (await asked(world, secret, path="/v1/nothing")).status == 404
        stranger = world.request()
        stranger.secret, stranger.address = secret, "192.0.2.1"
        await stranger.run()
        assert (stranger.status, stranger.code) == (403, "permission_denied")

    story(tell)


def test_the_rate_of_one_end_user_is_not_that_of_the_key(story: Story, spent: None) -> None:
    async def tell(world: World) -> None:
        def made() -> str:
            tier = factories.a_tier()
            limit = TierLimit(tier=tier, scope="end_user", measure="requests", per="minute", limit=1)
            tiers.add_limit(limit=limit, by=factories.THE_SYSTEM)
            return factories.a_key(tenant=factories.a_tenant(tier=tier))[1]

        secret = await world.plane.bridge.run(made)
        for user, status in (("one", 200), ("one", 429), ("two", 200)):
            client = world.request(user=user)
            client.secret = secret
            await client.run()
            assert client.status == status, user

    story(tell)
