"""Wrong keys are limited by the network that they come from, before anything is looked up for them."""

import asyncio

import pytest
from pytest_django.fixtures import Settings

from accounts import tokens
from accounts.actions import keys
from gateway import compile
from tests import factories
from tests.integration.data.world import Client, Story, World

LIMIT = 3
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def _limit(settings: Settings) -> None:
    settings.FAILED_KEYS_PER_MINUTE = LIMIT


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The public ids that were looked up in the database."""
    found: list[str] = []
    principal = compile.principal

    def counted(public_id: str) -> object:
        found.append(public_id)
        return principal(public_id)

    monkeypatch.setattr(compile, "principal", counted)
    return found


async def asked(world: World, *, secret: str | None = None, address: str = HERE) -> Client:
    client = world.request()
    client.address, client.secret = address, secret or tokens.generate("dev").text
    await client.run()
    return client


async def exhausted(world: World, *, address: str = HERE) -> None:
    for _ in range(LIMIT):
        assert (await asked(world, address=address)).status == 401


def test_beyond_the_limit_wrong_keys_cost_no_look_up(story: Story, lookups: list[str]) -> None:
    async def tell(world: World) -> None:
        await exhausted(world)
        assert len(lookups) == LIMIT
        client = await asked(world)
        assert (client.status, client.code) == (429, "rate_limit_exceeded")
        assert 15 < int(client.headers[b"retry-after"]) <= 20
        assert len(lookups) == LIMIT

    story(tell)


def test_keys_that_were_right_go_on_behind_the_same_address(story: Story, lookups: list[str]) -> None:
    async def tell(world: World) -> None:
        assert (await asked(world, secret=world.secret)).status == 200
        await exhausted(world)
        assert (await asked(world)).status == 429
        assert (await asked(world, secret=world.secret)).status == 200
        world.plane.snapshots.drop_all()
        assert (await asked(world, secret=world.secret)).status == 200, "also when its policy must be read again"

    story(tell)


def test_a_right_key_that_nobody_knows_yet_waits_with_its_network(story: Story) -> None:
    async def tell(world: World) -> None:
        await exhausted(world)
        assert (await asked(world, secret=world.secret)).status == 429
        assert (await asked(world, secret=world.secret, address=ELSEWHERE)).status == 200
        assert (await asked(world, secret=world.secret)).status == 200, "it is known now"

    story(tell)


def test_a_known_id_with_another_secret_is_refused_like_a_stranger(story: Story) -> None:
    async def tell(world: World) -> None:
        assert (await asked(world, secret=world.secret)).status == 200
        await exhausted(world)
        body = "_".join([*world.secret.split("_")[:3], tokens.generate("dev").text.split("_")[3]])
        client = await asked(world, secret=f"{body}_{tokens._checksum(body)}")
        assert (client.status, client.code) == (429, "rate_limit_exceeded")

    story(tell)


def test_a_host_cannot_escape_within_its_ipv6_network(story: Story) -> None:
    async def tell(world: World) -> None:
        await exhausted(world, address="2001:db8:1:2::1")
        assert (await asked(world, address="2001:db8:1:2:ffff::9")).status == 429
        assert (await asked(world, address="2001:db8:1:3::1")).status == 401

    story(tell)


def test_what_is_no_key_at_all_is_told_so_and_uses_nothing_up(story: Story) -> None:
    async def tell(world: World) -> None:
        for _ in range(LIMIT + 1):
            assert (await asked(world, secret="sk-nothing")).status == 401
        await exhausted(world)
        assert (await asked(world, secret="sk-nothing")).status == 401

    story(tell)


def test_the_limit_can_be_off(story: Story, settings: Settings) -> None:
    settings.FAILED_KEYS_PER_MINUTE = 0

    async def tell(world: World) -> None:
        answers = await asyncio.gather(*(asked(world) for _ in range(LIMIT + 2)))
        assert {client.status for client in answers} == {401}

    story(tell)


def test_a_revoked_key_counts_as_wrong(story: Story) -> None:
    async def tell(world: World) -> None:
        def revoked() -> str:
            key, secret = factories.a_key(tenant=world.tenant)
            keys.revoke(key=key, by=factories.THE_SYSTEM)
            return secret

        for _ in range(LIMIT):
            assert (await asked(world, secret=await world.plane.bridge.run(revoked))).status == 401
        assert (await asked(world)).status == 429

    story(tell)
