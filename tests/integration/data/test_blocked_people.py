"""Requests of people whom reviewers have blocked are refused, by every name and after an erasure; others' are not."""

import pytest

from compliance.actions import erasure, subjects
from compliance.models import Subject
from compliance.registry import Person
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_subject
from tests.integration.data.test_identify import ADA, asked, consenting
from tests.integration.data.world import Story, World, there
from tests.system import ledger


def block(person: Subject) -> Subject:
    return subjects.block(subject=person, by=THE_SYSTEM, reason="an attack")


def unblock(person: Subject) -> Subject:
    return subjects.unblock(subject=person, by=THE_SYSTEM)


def erase(person: Subject) -> None:
    erasure.begin(person=Person(person.tenant_id, person.surrogate), request_id=None, by=THE_SYSTEM)


def forgotten(world: World) -> None:
    """What a notification does, without waiting for it."""
    world.plane.subjects.forget_all()


@pytest.mark.parametrize("field", ["safety_identifier", "user"])
def test_it_works(story: Story, field: str) -> None:
    async def tell(world: World) -> None:
        await there(block, await there(a_subject, world.tenant, ADA))
        refused = await asked(world, **{field: ADA})
        assert (refused.status, refused.code) == (403, "end_user_blocked")
        assert ADA.encode() not in refused.body
        assert (await asked(world, **{field: "bob@acme.example"})).status == 200
        assert (await asked(world)).status == 200

    story(tell)


def test_nothing_goes_upstream_and_nothing_is_charged(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(block, await there(a_subject, world.tenant, ADA))
        refused = await asked(world, user=ADA)
        assert await world.upstream_bodies() == []
        world.plane.refusals.flush()
        record = await there(ledger.usage_of, refused.request_id)
        assert (record["outcome"], record["code"], record["status"]) == ("refused", "end_user_blocked", 403)

    story(tell)


def test_they_are_answered_again(story: Story) -> None:
    async def tell(world: World) -> None:
        person = await there(block, await there(a_subject, world.tenant, ADA))
        assert (await asked(world, user=ADA)).status == 403
        await there(unblock, person)
        forgotten(world)
        assert (await asked(world, user=ADA)).status == 200

    story(tell)


def test_an_erasure_is_no_way_around_it(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(erase, await there(block, await there(a_subject, world.tenant, ADA)))
        refused = await asked(world, user=ADA)
        assert (refused.status, refused.code) == (403, "end_user_blocked")

    story(tell)


def test_consent_does_not_help(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(a_consented_and_blocked_person, world)
        refused = await asked(world, user=ADA)
        assert (refused.status, refused.code) == (403, "end_user_blocked")

    story(tell)


def a_consented_and_blocked_person(world: World) -> None:
    block(consenting(world))
