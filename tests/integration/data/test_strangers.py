"""Requests without a valid key are on record, by network, reason and minute; those of known keys by their key."""

import random
from datetime import UTC, datetime

import pytest

from accounts import tokens
from compliance.actions import tallies
from compliance.models import AuditEvent
from gateway import strangers
from gateway.strangers import MOST
from tests.factories.tallies import counted_at
from tests.integration.data.world import Story, World

LONG_AGO = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> str:
    """One that no other test comes from, and that is counted by itself however many came in this minute."""
    monkeypatch.setattr(tallies, "MOST_NETWORKS", 1_000_000)
    monkeypatch.setattr(strangers, "EVERY_S", 3600)  # or it would be told twice at once
    one, other = (random.randrange(0x1000, 0x10000) for _ in range(2))  # as it is written: without zeros before it
    return f"fd00:{one:x}:{other:x}:1::"


async def asked(world: World, *, secret: str, address: str) -> int | None:
    client = world.request()
    client.address, client.secret = address, secret
    await client.run()
    return client.status


def counts_of(network: str) -> dict[str, int]:
    counted_at(LONG_AGO)
    tallies.put_on_record()
    events = AuditEvent.objects.filter(action="request.refused", target_kind="network", target_id=f"{network}/64")
    assert {(event.actor_kind, event.outcome, event.after["place"]) for event in events} <= {
        ("anonymous", "refused", "/v1")
    }
    return {event.reason: event.after["count"] for event in events}


def test_it_works(story: Story, network: str) -> None:
    async def tell(world: World) -> None:
        for n in range(3):
            assert await asked(world, secret=tokens.generate("dev").text, address=f"{network}{n + 1}") == 401
        assert await asked(world, secret="nonsense", address=f"{network}9") == 401
        await world.plane.strangers.flush()

    story(tell)
    assert counts_of(network) == {"invalid_api_key": 4}


def test_what_cannot_be_handed_over_is_kept(story: Story, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        def down(**_: object) -> None:
            raise OSError("no database")

        with monkeypatch.context() as patch:
            patch.setattr(tallies, "count", down)
            assert await asked(world, secret="nonsense", address=f"{network}1") == 401
            await world.plane.strangers.flush()
        await world.plane.strangers.flush()

    story(tell)
    assert counts_of(network) == {"invalid_api_key": 1}


def test_many_networks_within_a_second_are_counted_together(story: Story) -> None:
    async def tell(world: World) -> None:
        for n in range(200):
            world.plane.strangers.count(f"198.51.100.{n}", code="invalid_api_key")
        assert len(world.plane.strangers._counts) == MOST + 1

    story(tell)
