"""What is stored of a request: for whom, in which form, and what is put on record where nothing is."""

import asyncio
import json
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings
from structlog.testing import capture_logs

from compliance import surrogates
from compliance.actions import consents, content_policies, purposes
from compliance.keyring.store import WrappedKey
from compliance.lookups import lookup_of
from compliance.models import ContentDecision, ContentPolicy, LegalHold, Purpose, Subject, Transcript
from gateway import redaction, sealing, storing
from gateway.content import Content, Wish
from gateway.granted import Granted
from gateway.guards.base import Guarding
from gateway.transcripts import Transcripts
from gateway.turns import InHand
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent, a_content_policy, a_notice, a_subject
from tests.integration.data.conversations import STORE, ada_of, asked, consenting, decided, the_content, the_decision
from tests.integration.data.world import Client, Story, World, there


def test_it_works(story: Story) -> None:
    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        client = await asked(world, temperature=0.5, safety_identifier="ada")
        assert await there(the_decision, client) == (True, "")
        stored = await there(the_content, client)
        assert stored["request"]["messages"] == [{"role": "user", "content": "Hello"}]
        assert stored["request"]["temperature"] == 0.5
        assert stored["answer"]["choices"] == json.loads(client.body)["choices"]
        row = await there(Transcript.objects.get, pk=client.request_id)
        assert (row.tenant_id, row.surrogate, row.model) == (world.tenant.pk, ada.surrogate, world.model)
        assert (row.outcome, row.streamed, row.environment) == ("completed", False, "dev")
        assert (row.purpose, row.also_for, row.held) == (STORE, [], False)
        assert row.expires_on > timezone.now().date()
        assert b"Hello" not in bytes(row.sealed)

    story(tell)


@pytest.mark.parametrize("name", ["safety_identifier", "safety\x01_identifier", "us\x7fer"])
def test_neither_name_of_the_person_is_stored(story: Story, name: str) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = await asked(world, **{name: "ada"})
        assert "ada" not in json.dumps(await there(the_content, client))

    story(tell)


def test_a_stream_is_stored_as_the_message_that_it_spelled_out(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = await asked(world, stream=True, n=2, sandbox={"text": "To be, or not to be"})
        stored = await there(the_content, client)
        assert stored["answer"]["choices"] == [
            {
                "index": index,
                "message": {"role": "assistant", "content": "To be, or not to be"},
                "finish_reason": "stop",
            }
            for index in (0, 1)
        ]

    story(tell)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_call_is_stored_with_its_arguments(story: Story, streamed: bool) -> None:
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]

    async def tell(world: World) -> None:
        await there(consenting, world)
        whole = await asked(world, tools=tools, sandbox={"tool_call": True})
        client = await asked(world, tools=tools, stream=streamed, sandbox={"tool_call": True})
        (choice,) = (await there(the_content, client))["answer"]["choices"]
        (expected,) = json.loads(whole.body)["choices"]
        assert choice["finish_reason"] == expected["finish_reason"] == "tool_calls"
        (call,), (right,) = choice["message"]["tool_calls"], expected["message"]["tool_calls"]
        assert call["function"] == right["function"]

    story(tell)


def test_a_stream_that_was_cut_is_stored_as_far_as_it_came(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = await asked(world, stream=True, sandbox={"tokens": 50, "cut_after_chunks": 5})
        stored = await there(the_content, client)
        (choice,) = stored["answer"]["choices"]
        assert choice["finish_reason"] is None
        assert choice["message"]["content"]
        assert (await there(Transcript.objects.get, pk=client.request_id)).outcome == "cut"

    story(tell)


def test_a_client_that_leaves_a_stream_has_stored_what_it_was_sent(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = world.request(user="ada", stream=True, sandbox={"tokens": 50, "chunk_ms": 20})

        async def leave_after_some(_: Any) -> None:
            if sum(b'"content"' in message.get("body", b"") for message in client.sent) == 3:
                client.leave()

        client.before_sending = leave_after_some
        await client.run()
        await decided(world)
        row = await there(Transcript.objects.get, pk=client.request_id)
        assert row.outcome == "client_left"
        (choice,) = (await there(the_content, client))["answer"]["choices"]
        sent = [json.loads(line[6:]) for line in client.body.split(b"\n\n") if line.startswith(b"data: {")]
        written = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in sent)
        assert choice["message"]["content"].startswith(written)
        assert written

    story(tell)


def test_of_a_failed_request_only_the_question_is_stored(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = await asked(world, sandbox={"status": 500})
        stored = await there(the_content, client)
        assert stored["request"]["messages"]
        assert stored["answer"] is None
        assert (await there(Transcript.objects.get, pk=client.request_id)).outcome == "upstream_error"

    story(tell)


def test_a_refused_request_is_no_conversation(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = await asked(world, temperature=9)
        assert client.status == 400
        assert not await there(ContentDecision.objects.filter(request_id=client.request_id).exists)

    story(tell)


def test_a_tenant_that_stores_nothing_has_nothing_collected(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        await there(a_content_policy, world.tenant, store=False)
        handed: list[Content] = []
        monkeypatch.setattr(world.plane.transcripts, "hand_over", handed.append)
        client = await asked(world, stream=True)
        assert client.status == 200
        assert handed == []

    story(tell)


def withdrawn(ada: Subject) -> None:
    a_consent(ada)
    consents.withdraw(subject=ada, purpose=STORE, by=THE_SYSTEM)


def expired(ada: Subject) -> None:
    record = a_consent(ada, expires_at=timezone.now() + timedelta(hours=1))
    with connection.cursor() as cursor:  # history cannot be rewritten by other means
        cursor.execute("ALTER TABLE compliance_consentrecord DISABLE TRIGGER record_is_history")
        cursor.execute(
            "UPDATE compliance_consentrecord SET expires_at = now() - interval '1 s' WHERE id = %s", [record.pk]
        )
        cursor.execute("ALTER TABLE compliance_consentrecord ENABLE TRIGGER record_is_history")


def notice_changed(ada: Subject) -> None:
    a_consent(ada)
    a_notice(ada.tenant, material_change=True)


def in_state(state: str) -> Callable[[Subject], None]:
    def change(ada: Subject) -> None:
        a_consent(ada)
        Subject.objects.filter(pk=ada.pk).update(state=state, external_id=None)

    return change


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        pytest.param(lambda ada: None, "no_consent", id="never asked"),
        pytest.param(lambda ada: a_consent(ada, state="requested"), "no_consent", id="requested"),
        pytest.param(lambda ada: a_consent(ada, state="refused"), "refused", id="refused"),
        pytest.param(
            lambda ada: a_consent(ada, Purpose.objects.get(slug="training").slug), "no_consent", id="training"
        ),
        pytest.param(withdrawn, "withdrawn", id="withdrawn"),
        pytest.param(expired, "expired", id="expired"),
        pytest.param(notice_changed, "notice_changed", id="notice changed"),
        pytest.param(in_state("restricted"), "restricted", id="restricted"),
        pytest.param(in_state("erased"), "subject_erased", id="erased"),
    ],
)
def test_without_a_valid_consent_nothing_is_stored_and_the_reason_is_on_record(
    story: Story, prepare: Callable[[Subject], Any], reason: str
) -> None:
    async def tell(world: World) -> None:
        ada = await there(ada_of, world)
        await there(prepare, ada)
        client = await asked(world)
        assert client.status == 200
        assert await there(the_decision, client) == (False, reason)

    story(tell)


def test_a_new_notice_that_changes_nothing_material_keeps_consent(story: Story) -> None:
    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        await there(a_notice, ada.tenant, material_change=False)
        assert await there(the_decision, await asked(world)) == (True, "")

    story(tell)


def test_a_request_that_names_nobody_has_nothing_stored(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(a_content_policy, world.tenant)
        client = await asked(world, user="")
        assert await there(the_decision, client) == (False, "no_subject")

    story(tell)


def test_where_only_redacted_content_may_be_stored_and_nothing_redacts_none_is(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_plugged_in", [])

    async def tell(world: World) -> None:
        ada = await there(a_subject, world.tenant, "ada")
        await there(a_content_policy, world.tenant, redaction="required")
        await there(a_consent, ada)
        assert await there(the_decision, await asked(world)) == (False, "redaction_unavailable")

    story(tell)


def test_what_redacts_is_asked_before_anything_is_encrypted(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stars:
        def redacted(self, plaintext: bytes, guarding: Guarding | None) -> bytes:
            return plaintext.replace(b"Hello", b"*****")

    monkeypatch.setattr(redaction, "_plugged_in", [])
    redaction.plug_in(Stars())

    async def tell(world: World) -> None:
        ada = await there(a_subject, world.tenant, "ada")
        await there(a_content_policy, world.tenant, redaction="required")
        await there(a_consent, ada)
        client = await asked(world)
        assert (await there(the_content, client))["request"]["messages"][0]["content"] == "*****"

    story(tell)


def store_no_more(world: World) -> None:
    policy = ContentPolicy.objects.get(tenant=world.tenant)
    policy.store = False
    content_policies.put(policy=policy, by=THE_SYSTEM)


def test_a_policy_that_ends_storing_holds_for_what_was_handed_over_before(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = world.request(user="ada")
        await client.run()
        await there(store_no_more, world)
        await decided(world)
        assert await there(the_decision, client) == (False, "not_wanted")

    story(tell)


def test_a_withdrawal_holds_for_what_was_handed_over_before(story: Story) -> None:
    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        client = world.request(user="ada")
        await client.run()
        await there(consents.withdraw, subject=ada, purpose=STORE, by=THE_SYSTEM)
        await decided(world)
        assert await there(the_decision, client) == (False, "withdrawn")

    story(tell)


def test_what_is_too_large_is_not_stored(story: Story, settings: Settings) -> None:
    settings.MAX_CONTENT_BYTES = 2_000

    async def tell(world: World) -> None:
        await there(consenting, world)
        fits = await asked(world)
        question = await asked(world, messages=[{"role": "user", "content": "x" * 2_000}])
        whole = await asked(world, sandbox={"chars": 2_000})
        streamed = await asked(world, stream=True, sandbox={"chars": 2_000})
        decisions = [await there(the_decision, client) for client in (fits, question, whole, streamed)]
        assert decisions == [(True, ""), *[(False, "too_large")] * 3]

    story(tell)


def test_large_content_is_stored_whole(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = await asked(world, n=16, sandbox={"chars": 50_000})
        assert len(client.body) > sealing.THREAD_BYTES
        stored = await there(the_content, client)
        assert stored["answer"]["choices"] == json.loads(client.body)["choices"]

    story(tell)


def test_when_the_writer_is_behind_content_is_dropped_and_the_reason_is_on_record(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        world.plane.transcripts._most = 2
        clients = [world.request(user="ada") for _ in range(4)]
        for client in clients:  # within the time in which a batch gathers
            await client.run()
        await decided(world)
        decisions = [await there(the_decision, client) for client in clients]
        assert decisions == [(True, ""), (True, ""), (False, "behind"), (False, "behind")]
        assert world.plane.transcripts.queued_bytes == 0

    story(tell)


def test_purposes_that_the_person_allows_are_stored_with_it_but_for_what_gpc_opts_out_of(story: Story) -> None:
    def agree(ada: Subject) -> None:
        own = Purpose(tenant=ada.tenant, slug="quality", name="Quality")
        purposes.add(purpose=own, by=THE_SYSTEM)
        for slug in ("training", "analytics", "quality"):
            a_consent(ada, slug)
        consents.withdraw(subject=ada, purpose="analytics", by=THE_SYSTEM)

    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        await there(agree, ada)
        plain = await asked(world)
        opted_out = world.request(user="ada")
        opted_out.extra = {"sec-gpc": "1"}
        await opted_out.run()
        await decided(world)
        rows = [await there(Transcript.objects.get, pk=client.request_id) for client in (plain, opted_out)]
        assert [row.also_for for row in rows] == [["quality", "training"], ["quality"]]
        assert opted_out.headers[b"x-portcullis-gpc"] == b"honoured"
        assert b"x-portcullis-gpc" not in plain.headers

    story(tell)


def test_a_hold_in_force_has_content_stored_apart_from_what_is_due(story: Story) -> None:
    def hold(ada: Subject) -> None:
        words = {"title": "A case", "reason": "A court asks", "scope": "subject", "requested_by": "user 1"}
        times = {"state": "active", "active_at": timezone.now()}
        LegalHold.objects.create(tenant=ada.tenant, surrogate=ada.surrogate, **words, **times)

    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        await there(hold, ada)
        client = await asked(world)
        assert (await there(Transcript.objects.get, pk=client.request_id)).held is True

    story(tell)


def test_keys_that_cannot_be_read_cost_the_content_and_not_the_answer(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)

        async def unavailable(people: Any) -> Any:
            raise OSError

        monkeypatch.setattr(world.plane.transcripts, "_keys", unavailable)
        client = await asked(world)
        assert client.status == 200
        assert await there(the_decision, client) == (False, "key_unavailable")

    story(tell)


def test_a_person_without_a_key_gets_one(story: Story) -> None:
    def enrol_without_a_key(world: World) -> None:
        a_content_policy(world.tenant)
        lookup = lookup_of(world.tenant.pk, "ada")
        ada = Subject.objects.create(tenant=world.tenant, surrogate=surrogates.generate(), lookup=lookup)
        a_consent(ada)

    async def tell(world: World) -> None:
        await there(enrol_without_a_key, world)
        assert await there(the_decision, await asked(world)) == (True, "")

    story(tell)


def test_content_that_cannot_be_put_together_does_not_take_its_batch_with_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Content.plaintext

    def plaintext(content: Content) -> bytes:
        if "poison" in str(content.body):
            raise ValueError
        return good(content)

    monkeypatch.setattr(Content, "plaintext", plaintext)

    async def tell(world: World) -> None:
        await there(consenting, world)
        clients = [world.request(user="ada", messages=[{"role": "user", "content": text}]) for text in ("poison", "x")]
        for client in clients:
            await client.run()
        await decided(world)
        decisions = [await there(the_decision, client) for client in clients]
        assert decisions == [(False, "failed"), (True, "")]
        assert world.plane.transcripts.queued_bytes == 0

    story(tell)


def cut_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'portcullis gateway content' AND datname = current_database()"
        )


def test_a_lost_connection_is_made_anew_and_nothing_is_lost(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        await asked(world)
        client = world.request(user="ada")
        await client.run()
        await there(cut_connections)
        await decided(world)
        assert await there(the_decision, client) == (True, "")

    story(tell)


def test_what_the_database_cannot_take_for_too_long_is_dropped_and_recorded_when_it_is_back(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        await asked(world)
        writer = world.plane.transcripts
        writer._patience_s = 0.0
        good = dict(writer._main._params)
        await writer._main.disconnect()
        writer._main._params = {**good, "dbname": "there_is_no_such_database"}
        client = world.request(user="ada")
        await client.run()
        writer._full.set()
        while writer.queued_bytes:
            await asyncio.sleep(0.01)
        writer._main._params = good
        await decided(world)
        assert await there(the_decision, client) == (False, "unavailable")

    story(tell)


def test_content_waits_for_a_database_that_is_not_migrated_yet(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        client = world.request(user="ada")
        with monkeypatch.context() as patched:
            patched.setattr(
                storing, "_STORE", storing._STORE.replace("store_transcripts", "store_transcripts_of_later")
            )
            await client.run()
            with capture_logs() as logs:
                world.plane.transcripts._full.set()
                while not logs:
                    await asyncio.sleep(0.01)
        assert logs[0]["event"] == "content cannot be stored"
        await decided(world)
        assert await there(the_decision, client) == (True, "")

    story(tell)


@pytest.mark.parametrize(
    ("contents", "waiting_bytes", "hurried"), [(0, 0, False), (3, 40, False), (4, 0, True), (0, 50, True)]
)
def test_the_writer_hurries_long_before_room_is_short(contents: int, waiting_bytes: int, hurried: bool) -> None:
    async def no_keys(wishes: Collection[Wish]) -> dict[Wish, WrappedKey]:
        return {}

    writer = Transcripts({}, keys=no_keys, in_hand=InHand(), granted=Granted(), most=8, most_bytes=100)
    writer._contents, writer.queued_bytes = contents, waiting_bytes
    assert writer._is_hurried() is hurried


def test_closing_stores_what_waits(story: Story) -> None:
    clients: list[Client] = []

    async def tell(world: World) -> None:
        await there(consenting, world)
        client = world.request(user="ada")
        clients.append(client)
        await client.run()

    story(tell)
    assert the_decision(clients[0]) == (True, "")


def test_what_closing_leaves_behind_is_counted_with_the_batch_under_way(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        writer = world.plane.transcripts
        delivering = asyncio.Event()

        async def never(parts: object) -> None:
            delivering.set()
            await asyncio.Event().wait()

        writer._deliver = never  # type: ignore[method-assign]
        await world.request(user="ada").run()
        writer._full.set()
        await delivering.wait()
        await world.request(user="ada").run()
        await writer.close(within_s=0.01)
        assert writer.lost == 2
        await writer.close()
        assert writer.lost == 2, "as often as it is closed"

    story(tell)


def test_people_and_kinds_of_a_batch_are_told_apart(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        clients = [world.request(user="ada"), world.request(user="ada", stream=True), world.request(user="bob")]
        for client in clients:
            await client.run()
        await decided(world)
        decisions = [await there(the_decision, client) for client in clients]
        assert decisions == [(True, ""), (True, ""), (False, "no_consent")]
        rows = [await there(Transcript.objects.get, pk=client.request_id) for client in clients[:2]]
        assert [row.streamed for row in rows] == [False, True]
        assert "answer" in await there(the_content, clients[1])

    story(tell)


def test_a_message_too_long_for_the_queue_leaves_room_for_others() -> None:
    assert settings.CONTENT_QUEUE_BYTES > 4 * settings.MAX_CONTENT_BYTES
