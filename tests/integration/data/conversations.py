"""Conversations that are stored: who agrees to it, what was decided, and what it reads like."""

from typing import Any

from compliance.keyring import store
from compliance.models import ContentDecision, Purpose, Subject, Transcript
from compliance.transcripts import opened
from tests.factories.compliance import a_consent, a_content_policy, a_subject
from tests.integration.data.world import Client, World

STORE = Purpose.STORE_CONVERSATIONS


def the_decision(client: Client) -> tuple[bool, str]:
    row = ContentDecision.objects.get(request_id=client.request_id)
    assert row.stored == Transcript.objects.filter(pk=client.request_id).exists()
    return row.stored, row.reason


def the_content(client: Client) -> dict[str, Any]:
    """What was stored of a request, decrypted."""
    row = Transcript.objects.get(pk=client.request_id)
    key = store.subject_keys(row.tenant_id, [row.surrogate])[row.surrogate]
    assert key.id == row.key_id
    return opened(row, key=key.key)


def ada_of(world: World) -> Subject:
    """A person of a tenant that stores what people agree to, whom its applications call ada. She has not agreed yet."""
    a_content_policy(world.tenant)
    return a_subject(world.tenant, "ada")


def consenting(world: World) -> Subject:
    ada = ada_of(world)
    a_consent(ada)
    return ada


async def decided(world: World) -> None:
    """Waits until all that was handed over is decided about."""
    world.plane.transcripts._full.set()
    await world.plane.transcripts._idle.wait()


async def asked(world: World, *, user: str = "ada", **fields: Any) -> Client:
    """A request that was answered and decided about."""
    client = world.request(**({"user": user} if user else {}), **fields)
    await client.run()
    await decided(world)
    return client
