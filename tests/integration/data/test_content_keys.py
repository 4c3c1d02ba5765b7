"""The keys of the people in a batch: whose cannot be had loses their own content, and nobody else's.

Who was asked about lately is not asked about again, and a withdrawal holds all the same.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from compliance import envelope
from compliance.actions import consents, keys
from compliance.keyring import store
from compliance.keyring.models import SubjectKey
from compliance.keyring.store import WrappedKey
from compliance.models import Subject
from gateway import content_keys, storing
from gateway.batches import Cursor
from gateway.content import Wish
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent, a_subject
from tests.integration.data.conversations import STORE, asked, consenting, decided, the_content, the_decision
from tests.integration.data.world import Client, Story, World, there


def bob_too(world: World) -> Subject:
    """He agrees, as ada does."""
    consenting(world)
    bob = a_subject(world.tenant, "bob")
    a_consent(bob)
    return bob


async def both_asked(world: World) -> tuple[Client, Client]:
    ada, bob = world.request(user="ada"), world.request(user="bob")
    await ada.run()
    await bob.run()
    await decided(world)
    return ada, bob


def exchanged(subject: Subject) -> None:
    """Their key is wrapped for somebody else, as by a hand in the database."""
    row = SubjectKey.objects.get(tenant_id=subject.tenant_id, surrogate=subject.surrogate)
    above = store.tenant_keys(subject.tenant_id)[row.tenant_key_version]
    wrapped = envelope.wrap(envelope.new_key(), under=above, context="subject-key/0/somebody/else")
    SubjectKey.objects.filter(pk=row.pk).update(wrapped=wrapped)


def wish_for(tenant_id: int, surrogate: str) -> Wish:
    return tenant_id, surrogate, STORE, False


def asked_about(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The surrogates of whom it was asked whether something may be stored."""
    good, seen = storing.refusals, list[str]()

    async def note(cursor: Cursor, wishes: Sequence[Wish]) -> dict[Wish, str]:
        seen.extend(wish[1] for wish in wishes)
        return await good(cursor, wishes)

    monkeypatch.setattr(storing, "refusals", note)
    return seen


def test_the_keys_are_those_that_everybody_else_reads(story: Story) -> None:
    async def tell(world: World) -> None:
        bob = await there(bob_too, world)
        known = await there(store.subject_keys, world.tenant.pk, [bob.surrogate])
        wish = wish_for(world.tenant.pk, bob.surrogate)
        found = await world.plane.content_keys.of([wish])
        id, key = found[wish].opened(world.tenant.pk, bob.surrogate)
        assert (found[wish].id, id, key) == (
            str(known[bob.surrogate].id),
            known[bob.surrogate].id.bytes,
            known[bob.surrogate].key,
        )
        assert key.hex() not in repr(found)
        assert str(key) not in repr(found)

    story(tell)


def test_a_key_that_was_altered_costs_its_persons_content_and_no_other(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(exchanged, await there(bob_too, world))
        with capture_logs() as logs:
            ada, bob = await both_asked(world)
        assert await there(the_decision, ada) == (True, "")
        assert await there(the_decision, bob) == (False, "key_unavailable")
        assert [line["request_id"] for line in logs if line["event"] == "content cannot be encrypted"] == [
            bob.request_id
        ]

    story(tell)


def test_a_tenant_whose_keys_take_long_has_no_other_wait_for_them(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the provider of the root key of one does not answer."""
    answers = threading.Event()
    good = store.tenant_keys
    monkeypatch.setattr(content_keys, "TENANT_WITHIN_S", 0.2)

    async def tell(world: World) -> None:
        bob = await there(bob_too, world)
        other = await there(a_subject)
        await there(a_consent, other)

        def slow(tenant_id: int, **options: Any) -> Mapping[int, bytes]:
            if tenant_id == other.tenant_id:
                answers.wait(60)
            return good(tenant_id, **options)

        mine, theirs = wish_for(bob.tenant_id, bob.surrogate), wish_for(other.tenant_id, other.surrogate)
        store.forget()
        monkeypatch.setattr(store, "tenant_keys", slow)
        try:
            with capture_logs() as logs:
                for _ in range(2):
                    assert (await world.plane.content_keys.of([theirs, mine])).keys() == {mine}
        finally:
            answers.set()
        assert [(line["event"], line["tenant_id"], line["error"]) for line in logs] == [
            ("keys cannot be read", other.tenant_id, error) for error in ("TimeoutError", "still waiting")
        ], "it has no more than one thread"
        while world.plane.content_keys._busy:
            await asyncio.sleep(0.01)
        assert (await world.plane.content_keys.of([theirs, mine])).keys() == {mine, theirs}

    story(tell)


def test_a_connection_that_was_cut_is_made_anew(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    good, calls = content_keys._rows, list[int]()

    async def cut_once(cursor: Cursor, wishes: list[Wish]) -> Any:
        calls.append(len(wishes))
        if len(calls) == 1:
            raise psycopg.OperationalError
        return await good(cursor, wishes)

    async def tell(world: World) -> None:
        await there(consenting, world)
        world.plane.content_keys._rows._call = cut_once
        assert await there(the_decision, await asked(world)) == (True, "")
        assert calls == [1, 1]

    story(tell)


def test_who_was_granted_is_not_asked_about_again_for_a_while(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked_about(monkeypatch)

    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        for _ in range(3):
            assert await there(the_decision, await asked(world)) == (True, "")
        assert seen == [ada.surrogate]

    story(tell)


def test_a_withdrawal_holds_for_the_next_content_although_nobody_is_asked_about_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The INSERT decides; from then on it is asked first again, about everybody."""
    seen = asked_about(monkeypatch)

    async def tell(world: World) -> None:
        bob = await there(bob_too, world)
        await both_asked(world)
        await there(lambda: consents.withdraw(subject=bob, purpose=STORE, by=THE_SYSTEM))
        seen.clear()
        ada, first = await both_asked(world)
        assert seen == []
        assert await there(the_decision, first) == (False, "withdrawn")
        assert await there(the_decision, ada) == (True, "")
        _, second = await both_asked(world)
        assert bob.surrogate in seen
        assert len(seen) == 2
        assert await there(the_decision, second) == (False, "withdrawn")

    story(tell)


def test_whose_key_is_gone_is_told_why(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although they were granted a moment ago, and nobody told the gateway."""

    def gone(ada: Subject) -> None:
        consents.withdraw(subject=ada, purpose=STORE, by=THE_SYSTEM)
        keys.destroy_subject_keys(tenant_id=ada.tenant_id, surrogates=[ada.surrogate], by=THE_SYSTEM)

    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        assert await there(the_decision, await asked(world)) == (True, "")
        await there(gone, ada)
        with monkeypatch.context() as patched:
            patched.setattr(world.plane.transcripts._granted, "forget", lambda: None)
            assert await there(the_decision, await asked(world)) == (False, "withdrawn")

    story(tell)


def test_somebody_elses_restriction_has_all_asked_about_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an erasure has, so that no gateway goes on knowing whom it stored something of."""
    seen = asked_about(monkeypatch)

    async def tell(world: World) -> None:
        bob = await there(bob_too, world)
        await both_asked(world)
        await there(lambda: Subject.objects.filter(pk=bob.pk).update(state="restricted"))
        while world.plane.transcripts._granted._lately:
            await asyncio.sleep(0.01)
        seen.clear()
        assert await there(the_decision, await asked(world)) == (True, "")
        assert len(seen) == 1

    story(tell)


def test_people_of_one_part_have_records_that_only_their_own_keys_open(story: Story) -> None:
    """Although they share a salt."""

    async def tell(world: World) -> None:
        await there(bob_too, world)
        ada, bob = await both_asked(world)
        for client in (ada, bob):
            assert (await there(the_content, client))["request"]["messages"]

    story(tell)


def test_what_was_told_to_logs_of_a_wrapped_key_opens_nothing() -> None:
    key = WrappedKey("an id", b"i" * 16 + b"wrapped" + b"m" * 32, envelope.Unwrapper(b"k" * 32))
    assert repr(key) == "WrappedKey(an id)"
