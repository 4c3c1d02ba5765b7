"""Whom a request is for: a surrogate on record, a pseudonym upstream, and consent where the tenant requires it."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection
from pytest_django.fixtures import Settings

from accounts.models import Tenant
from accounts.pseudonyms import is_pseudonym
from compliance.actions import consents, erasure, purposes, renames, subjects
from compliance.external_ids import external_id_of
from compliance.lookups import lookup_of
from compliance.models import Purpose, Subject
from compliance.registry import Person
from gateway import subject_rows
from tests import factories
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent, a_content_policy, a_notice, a_subject
from tests.integration.data.world import Client, Story, World, there
from tests.system import ledger

ADA = "ada@acme.example"
PROCESS = "answering"


async def asked(world: World, **fields: Any) -> Client:
    client = world.request(**fields)
    await client.run()
    return client


async def end_user_of(client: Client) -> str:
    """Who is on record for a request."""
    return str((await there(ledger.usage_of, client.request_id))["end_user"])


def people_of(tenant: Tenant) -> list[str]:
    return list(Subject.objects.filter(tenant=tenant).values_list("surrogate", flat=True))


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The questions that the mapping table was asked."""
    found: list[Any] = []
    find = subject_rows.find

    def counted(people: Any) -> Any:
        found.append(people)
        return find(people)

    monkeypatch.setattr(subject_rows, "find", counted)
    return found


# --- who it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["safety_identifier", "user"])
def test_somebody_new_gets_a_surrogate_and_keeps_it(story: Story, finds: list[Any], field: str) -> None:
    async def tell(world: World) -> None:
        clients = [await asked(world, **{field: ADA}) for _ in range(2)]
        assert [client.status for client in clients] == [200, 200]
        (surrogate,) = await there(people_of, world.tenant)
        assert is_pseudonym(surrogate)
        assert [await end_user_of(client) for client in clients] == [surrogate, surrogate]
        assert await there(lookup_of, world.tenant.pk, ADA) != surrogate, "nobody can compute it"
        assert len(finds) == 1
        person = await there(Subject.objects.get, surrogate=surrogate)
        assert await there(external_id_of, person) == ADA

    story(tell)


def test_a_request_that_names_nobody_is_nobodys(story: Story) -> None:
    async def tell(world: World) -> None:
        for named in ({}, {"user": ""}, {"user": None}):
            assert await end_user_of(await asked(world, **named)) == ""
        assert await there(people_of, world.tenant) == []

    story(tell)


def test_many_who_come_at_once_are_each_enrolled_once(story: Story, finds: list[Any]) -> None:
    async def tell(world: World) -> None:
        names = [f"person-{number % 20}" for number in range(60)]
        clients = await asyncio.gather(*(asked(world, user=name) for name in names))
        assert {client.status for client in clients} == {200}
        known = await there(people_of, world.tenant)
        assert len(known) == 20
        by_name: dict[str, set[str]] = {}
        for name, client in zip(names, clients, strict=True):
            by_name.setdefault(name, set()).add(await end_user_of(client))
        assert all(len(seen) == 1 for seen in by_name.values())
        assert {surrogate for seen in by_name.values() for surrogate in seen} == set(known)
        assert len(finds) < 60

    story(tell)


def test_whom_somebody_named_before_is_the_same_person(story: Story) -> None:
    async def tell(world: World) -> None:
        person = await there(a_subject, world.tenant, ADA)
        assert await end_user_of(await asked(world, user=ADA)) == person.surrogate

    story(tell)


# --- when things change ----------------------------------------------------------------------------------------------


def erase(person: Subject) -> Subject:
    """Erases somebody; returns the row that remembers that they are."""
    lookup = Subject.objects.values_list("lookup", flat=True).get(pk=person.pk)
    named = Person(tenant_id=person.tenant_id, surrogate=person.surrogate)
    erasure.begin(person=named, request_id=None, by=THE_SYSTEM)
    successor = Subject.objects.get(tenant_id=person.tenant_id, lookup=lookup)
    assert successor.state == "erased"
    assert successor.surrogate != person.surrogate
    return successor


def test_who_was_erased_is_somebody_else_from_then_on(story: Story) -> None:
    async def tell(world: World) -> None:
        person = await there(a_subject, world.tenant, ADA)
        assert await end_user_of(await asked(world, user=ADA)) == person.surrogate
        successor = await there(erase, person)
        async with asyncio.timeout(5):  # until the gateway has heard of it
            while await end_user_of(client := await asked(world, user=ADA)) != successor.surrogate:
                assert client.status == 200
        assert await end_user_of(await asked(world, user=ADA)) == successor.surrogate

    story(tell)


def test_who_is_called_otherwise_stays_the_same_person_and_the_former_name_is_somebody_new(story: Story) -> None:
    async def tell(world: World) -> None:
        person = await there(a_subject, world.tenant, "aad@acme.example")
        assert await end_user_of(await asked(world, user="aad@acme.example")) == person.surrogate
        await there(renamed, person)
        async with asyncio.timeout(5):  # until the gateway has heard of it
            while await end_user_of(client := await asked(world, user="aad@acme.example")) == person.surrogate:
                assert client.status == 200
        assert await end_user_of(await asked(world, user=ADA)) == person.surrogate
        assert set(await there(people_of, world.tenant)) == {person.surrogate, await end_user_of(client)}

    story(tell)


def renamed(person: Subject) -> Subject:
    return renames.rename(subject=person, external_id=ADA, by=THE_SYSTEM, reason="misspelt")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE compliance_subject SET state = 'restricted' WHERE id = %s",
        "UPDATE compliance_subject SET blocked_at = now() WHERE id = %s",
        "UPDATE compliance_subject SET lookup = NULL WHERE id = %s",
        "DELETE FROM compliance_subject WHERE id = %s",
    ],
    ids=["restricted", "blocked", "forgotten", "deleted"],
)
def test_a_row_changed_by_sql_is_told_to_the_gateways(
    story: Story, finds: list[Any], monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    async def tell(world: World) -> None:
        person = await there(a_subject, world.tenant, ADA)
        await asked(world, user=ADA)
        heard = asyncio.Event()
        forget = world.plane.subjects.forget

        def noted(tenant_id: int, lookup: str) -> None:
            forget(tenant_id, lookup)
            heard.set()

        monkeypatch.setattr(world.plane.subjects, "forget", noted)
        await there(changed, statement, person.pk)
        async with asyncio.timeout(5):
            await heard.wait()
        before = len(finds)
        await asked(world, user=ADA)
        assert len(finds) == before + 1

    story(tell)


def changed(statement: str, pk: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [pk])


# --- when something is down, or too much -----------------------------------------------------------------------------


def test_without_the_main_database_those_known_go_on(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        await asked(world, user=ADA)

        def down(people: Any) -> Any:
            raise DatabaseError

        monkeypatch.setattr(subject_rows, "find", down)
        assert (await asked(world, user=ADA)).status == 200
        refused = await asked(world, user="bob@acme.example")
        assert (refused.status, refused.code) == (503, "service_unavailable")
        assert b"bob" not in refused.body

    story(tell)


def test_one_tenants_trouble_is_not_that_of_the_others(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        resolve = subjects.resolve
        troubled = await there(factories.a_tenant, "umbrella")
        _, secret = await there(factories.a_key, tenant=troubled)

        def failing(*, tenant_id: int, wanted: Any) -> Any:
            if tenant_id == troubled.pk:
                raise ValueError("its key is broken")
            return resolve(tenant_id=tenant_id, wanted=wanted)

        monkeypatch.setattr(subjects, "resolve", failing)
        theirs = world.request(user=ADA)
        theirs.secret = secret
        _, ours = await asyncio.gather(theirs.run(), asked(world, user=ADA))
        assert (theirs.status, ours.status) == (503, 200)

    story(tell)


def test_nobody_fills_the_table_at_will(story: Story, settings: Settings) -> None:
    settings.NEW_SUBJECTS_PER_MINUTE = 2

    async def tell(world: World) -> None:
        assert [(await asked(world, user=f"person-{number}")).status for number in range(2)] == [200, 200]
        refused = await asked(world, user="person-2")
        assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
        assert b"Too many new end users" in refused.body
        assert 29 <= int(refused.headers[b"retry-after"]) <= 30
        assert (await asked(world, user="person-0")).status == 200
        assert len(await there(people_of, world.tenant)) == 2

    story(tell)


# --- what goes upstream ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_upstream_never_sees_what_the_application_calls_people(story: Story, streamed: bool) -> None:
    async def tell(world: World) -> None:
        fields = {"safety_identifier": ADA, "user": "Ada Lovelace", "prompt_cache_key": "k", "stream": streamed}
        clients = [await asked(world, **fields) for _ in range(2)]
        surrogate = await end_user_of(clients[0])
        first, second = await world.upstream_bodies()
        assert first == second, "the same person each time"
        assert re.fullmatch("eu_[0-9a-f]{24}", first["user"])
        assert first["safety_identifier"] == first["user"] != surrogate
        assert first["prompt_cache_key"] == "k"
        assert "Lovelace" not in str(first)
        assert ADA not in str(first)

    story(tell)


def test_two_providers_see_two_people(story: Story) -> None:
    async def tell(world: World) -> None:
        other = await there(another_model, world)
        await asked(world, user=ADA)
        async with asyncio.timeout(5):  # until the gateway has heard of it
            while (await asked(world, user=ADA, model=other)).status == 404:
                await asyncio.sleep(0)
        bodies = await world.upstream_bodies()
        assert len({body["user"] for body in bodies}) == 2
        assert len({body["user"] for body in bodies} | set(await there(people_of, world.tenant))) == 3

    story(tell)


def another_model(world: World) -> str:
    """Of another provider, at the same upstream."""
    return factories.a_model(factories.a_provider(f"{world.sandbox_url}/v1")).name


# --- consent to have requests processed ------------------------------------------------------------------------------


def requiring(tenant: Tenant) -> None:
    """From now on the tenant answers those alone who agreed."""
    purposes.add(purpose=Purpose(tenant=tenant, slug=PROCESS, name="Answering"), by=THE_SYSTEM)
    a_notice(tenant, PROCESS)
    a_content_policy(tenant, store=False, processing_purpose=PROCESS)


def consenting(world: World) -> Subject:
    requiring(world.tenant)
    person = a_subject(world.tenant, ADA)
    a_consent(person, PROCESS)
    return person


def withdraw(person: Subject) -> None:
    consents.withdraw(subject=person, purpose=PROCESS, by=THE_SYSTEM)


async def refused(world: World, **fields: Any) -> Client:
    client = await asked(world, **fields)
    assert (client.status, client.code) == (403, "consent_required")
    assert b'"type":"permission_denied"' in client.body
    assert client.headers[b"x-should-retry"] == b"false"
    return client


def test_who_agreed_is_answered_until_they_withdraw(story: Story) -> None:
    async def tell(world: World) -> None:
        person = await there(consenting, world)
        client = await asked(world, user=ADA)
        assert client.status == 200
        assert await end_user_of(client) == person.surrogate
        await there(withdraw, person)
        await refused(world, user=ADA)
        await there(a_consent, person, PROCESS)
        assert (await asked(world, user=ADA)).status == 200

    story(tell)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, b"names none"), ({"user": "bob"}, b"has not consented to 'answering'")],
    ids=["nobody", "somebody else"],
)
def test_others_are_refused(story: Story, fields: dict[str, str], words: bytes) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = await refused(world, **fields)
        assert words in client.body
        assert len(await there(people_of, world.tenant)) == 1, "a refusal enrols nobody"
        assert await world.upstream_bodies() == []
        world.plane.refusals.flush()
        record = await there(ledger.usage_of, client.request_id)
        assert (record["outcome"], record["code"], record["status"]) == ("refused", "consent_required", 403)

    story(tell)


def test_a_notice_that_changes_the_terms_ends_old_consent_at_once(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        assert (await asked(world, user=ADA)).status == 200
        await there(a_notice, world.tenant, PROCESS)
        await refused(world, user=ADA)

    story(tell)


def test_consent_elsewhere_is_none_here(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(requiring, world.tenant)

        def elsewhere() -> None:
            rival = factories.a_tenant("umbrella")
            requiring(rival)
            a_consent(a_subject(rival, ADA), PROCESS)

        await there(elsewhere)
        await there(a_subject, world.tenant, ADA)
        await refused(world, user=ADA)

    story(tell)


def test_who_was_erased_is_refused_where_consent_is_needed(story: Story) -> None:
    async def tell(world: World) -> None:
        person = await there(consenting, world)
        await there(erase, person)
        await refused(world, user=ADA)

    story(tell)


def test_many_are_asked_about_together(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[int] = []
    allowed: Callable[..., Any] = subject_rows.allowed

    def counted(wishes: Any) -> Any:
        asked_for.append(len(wishes))
        return allowed(wishes)

    monkeypatch.setattr(subject_rows, "allowed", counted)

    async def tell(world: World) -> None:
        await there(consenting, world)
        clients = await asyncio.gather(*(asked(world, user=ADA if n % 2 else f"p{n}") for n in range(40)))
        assert [client.status for client in clients] == [403, 200] * 20
        assert len(asked_for) < 40

    story(tell)
