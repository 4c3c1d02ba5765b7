"""Wrong keys are limited by the network that they come from, and right ones pass whatever comes from there."""

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


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[str]]:
    """What public ids were asked for together."""
    found: list[frozenset[str]] = []
    known_ids = compile.known_ids

    def counted(public_ids: frozenset[str]) -> frozenset[str]:
        found.append(public_ids)
        return known_ids(public_ids)

    monkeypatch.setattr(compile, "known_ids", counted)
    return found


async def asked(world: World, *, secret: str | None = None, address: str = HERE) -> Client:
    client = world.request()
    client.address, client.secret = address, secret or tokens.generate("dev").text
    await client.run()
    return client


async def exhausted(world: World, *, address: str = HERE) -> None:
    for _ in range(LIMIT):
        assert (await asked(world, address=address)).status == 401


def test_beyond_the_limit_wrong_keys_cost_no_look_up_of_their_own(story: Story, lookups: list[str]) -> None:
    async def tell(world: World) -> None:
        await exhausted(world)
        assert len(lookups) == LIMIT
        client = await asked(world)
        assert (client.status, client.code) == (429, "rate_limit_exceeded")
        assert 15 < int(client.headers[b"retry-after"]) <= 20
        assert len(lookups) == LIMIT

    story(tell)


def test_a_flood_of_made_up_keys_shares_a_few_queries(
    story: Story, lookups: list[str], queries: list[frozenset[str]]
) -> None:
    async def tell(world: World) -> None:
        await exhausted(world)
        assert queries == []
        answers = await asyncio.gather(*(asked(world) for _ in range(100)))
        assert {client.status for client in answers} == {429}
        assert sum(map(len, queries)) == 100
        assert len(queries) < 50
        assert len(lookups) == LIMIT

    story(tell)


def test_keys_that_were_right_go_on_behind_the_same_address(story: Story, queries: list[frozenset[str]]) -> None:
    async def tell(world: World) -> None:
        assert (await asked(world, secret=world.secret)).status == 200
        await exhausted(world)
        assert (await asked(world)).status == 429
        assert len(queries) == 1
        assert (await asked(world, secret=world.secret)).status == 200
        assert len(queries) == 1, "nothing is asked about a key whose principal is at hand"
        world.plane.snapshots.drop_all()
        assert (await asked(world, secret=world.secret)).status == 200, "also when its policy must be read again"

    story(tell)


def test_a_right_key_is_not_refused_for_its_neighbours_on_its_first_use(story: Story) -> None:
    async def tell(world: World) -> None:
        await exhausted(world)
        flood = [asyncio.ensure_future(asked(world)) for _ in range(50)]
        assert (await asked(world, secret=world.secret)).status == 200
        assert {client.status for client in await asyncio.gather(*flood)} == {429}
        assert (await asked(world, address=ELSEWHERE)).status == 401

    story(tell)


def test_a_key_made_while_its_network_is_exhausted_works_at_once(story: Story) -> None:
    async def tell(world: World) -> None:
        def made() -> str:
            return factories.a_key(tenant=world.tenant)[1]

        await exhausted(world)
        assert (await asked(world)).status == 429
        assert (await asked(world, secret=await world.plane.bridge.run(made))).status == 200

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
