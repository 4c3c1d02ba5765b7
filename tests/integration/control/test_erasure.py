"""Erasing a person: nothing of theirs can be read afterwards, everything of everybody else's can, and it is proved."""

import json
from dataclasses import replace
from typing import Any

import pytest
from celery import current_app
from django.db import DatabaseError, connection, connections
from django.db.models import F
from django.utils import timezone

from billing.ledger.models import Meter
from billing.models import Alert, Budget
from compliance import erasure_ledger, holds, registry, signing
from compliance.actions import erasure, erasure_entries, erasure_steps, keys, subjects
from compliance.envelope import open_record
from compliance.errors import DecryptionFailed, KeyDestroyed, KeyStoreUnavailable
from compliance.evidence import inclusion
from compliance.external_ids import external_id_of
from compliance.keyring import store
from compliance.keyring.models import DeadKey, ErasureEntry, SubjectKey
from compliance.models import (
    AuditEvent,
    ConsentRecord,
    Erasure,
    ErasureMark,
    ErasureStep,
    LegalHold,
    RetentionPolicy,
    Subject,
    Transcript,
)
from compliance.registry import Person
from compliance.transcripts import opened
from tests.factories import THE_SYSTEM, a_budget, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def person_of(subject: Subject) -> Person:
    return Person(subject.tenant_id, subject.surrogate)


def somebody(tenant: Any = None, external_id: str = "", text: str = "Hello") -> Subject:
    """A person who consented, with a conversation."""
    if tenant is None:
        tenant = a_tenant()
        a_content_policy(tenant)
    subject = a_subject(tenant, external_id)
    a_consent(subject)
    a_transcript(subject, text)
    return Subject.objects.get(pk=subject.pk)


def erased(subject: Subject) -> Erasure:
    begun = erasure.begin(person=person_of(subject), request_id=None, by=THE_SYSTEM)
    return erasure.advance(erasure=begun, by=THE_SYSTEM)


def test_it_works() -> None:
    ada = somebody()
    done = erased(ada)
    assert (done.state, done.problem) == (Erasure.State.COMPLETE, "")
    assert not Transcript.objects.filter(surrogate=ada.surrogate).exists()
    assert all(step.state == ErasureStep.State.DONE for step in done.steps.all())


def test_the_fence_alone_keeps_out_and_destroys_at_once() -> None:
    ada = somebody()
    begun = erasure.begin(person=person_of(ada), request_id=7, by=THE_SYSTEM, reason="asked")
    assert begun.state == Erasure.State.RUNNING
    assert begun.fenced_at
    assert begun.destroyed_at
    assert begun.ledger_number == 1
    assert store.subject_keys(ada.tenant_id, [ada.surrogate]) == {}
    with pytest.raises(AssertionError):  # the storing INSERT gave a reason
        a_transcript_under(ada)


def a_transcript_under(subject: Subject) -> Transcript:
    """As a process stores it that read the key before it was destroyed."""
    row = subject
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reason FROM store_transcripts(jsonb_build_array(jsonb_build_object("
            "'request_id', gen_random_uuid(), 'tenant_id', %s::bigint, 'surrogate', %s::text, 'at', now(),"
            "'reason', '',"
            "'environment', '', 'model', '', 'outcome', 'completed', 'streamed', false,"
            "'purpose', 'store_conversations', 'gpc', false, 'redacted', false, 'key_id', gen_random_uuid(),"
            "'place', 0, 'length', 1, 'plain_bytes', 1)), 'x'::bytea)",
            [row.tenant_id, row.surrogate],
        )
        assert cursor.fetchall() == [("",)]
    return Transcript.objects.get(surrogate=row.surrogate)


def test_a_copy_of_the_data_opens_with_nothing_that_is_left() -> None:
    ada = somebody(external_id="ada", text="my secret")
    row, name = Transcript.objects.get(surrogate=ada.surrogate), Subject.objects.get(pk=ada.pk)
    assert opened(row, key=store.subject_keys(ada.tenant_id, [ada.surrogate])[ada.surrogate].key)["request"]
    assert external_id_of(name) == "ada"
    erased(ada)
    with pytest.raises(KeyDestroyed):
        external_id_of(name)
    assert store.subject_keys(ada.tenant_id, [ada.surrogate]) == {}
    for key in store.tenant_keys(ada.tenant_id).values():
        with pytest.raises(DecryptionFailed):
            opened(row, key=key)


def test_everybody_else_can_be_read_as_before() -> None:
    ada = somebody()
    bob = somebody(ada.tenant, "bob", "not mine")
    erased(ada)
    row = Transcript.objects.get(surrogate=bob.surrogate)
    key = store.subject_keys(bob.tenant_id, [bob.surrogate])[bob.surrogate].key
    assert opened(row, key=key)["request"]["messages"][0]["content"] == "not mine"
    assert external_id_of(bob) == "bob"


def test_the_person_stays_erased_under_another_surrogate() -> None:
    ada = somebody(external_id="ada")
    erased(ada)
    again = subjects.enrol(tenant_id=ada.tenant_id, external_id="ada", by=THE_SYSTEM)
    assert again.state == Subject.State.ERASED
    assert again.surrogate != ada.surrogate
    assert again.external_id is None
    was = Subject.objects.get(pk=ada.pk)
    assert (was.state, was.lookup, was.external_id) == (Subject.State.ERASED, None, None)


def test_nothing_in_the_main_database_joins_the_person_to_the_old_surrogate() -> None:
    ada = somebody(external_id="ada")
    done = erased(ada)
    row = Erasure.objects.get(pk=done.pk)
    assert (row.lookup, row.successor) == ("", "")


def test_the_old_surrogate_can_never_be_given_a_name_again() -> None:
    ada = somebody()
    erased(ada)
    with pytest.raises(DatabaseError, match="erased for good"):
        Subject.objects.filter(pk=ada.pk).update(state=Subject.State.ACTIVE)


def test_who_is_enrolled_again_is_somebody_new_and_can_be_erased_again() -> None:
    ada = somebody(external_id="ada")
    erased(ada)
    row = subjects.enrol(tenant_id=ada.tenant_id, external_id="ada", by=THE_SYSTEM)
    new = subjects.reenrol(subject=row, by=THE_SYSTEM, reason="came back")
    assert not ConsentRecord.objects.filter(subject=new).exists()
    a_consent(new)
    a_transcript(new)
    assert erased(new).state == Erasure.State.COMPLETE
    assert [entry.number for entry in erasure_ledger.read()] == [1, 2]


def test_it_is_begun_once() -> None:
    ada = somebody()
    first, second = erased(ada), erased(ada)
    assert first.pk == second.pk
    assert ErasureEntry.objects.count() == 1


# --- what cannot be done now ---------------------------------------------------------------------------------------


def test_a_key_store_that_is_down_leaves_the_fence_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()

    def down(**_: Any) -> Any:
        raise KeyStoreUnavailable("The keys database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(keys, "destroy_subject_keys", down)
        tried = erased(ada)
    assert tried.state == Erasure.State.INCOMPLETE
    assert "does not answer" in tried.problem
    assert Subject.objects.get(pk=ada.pk).state == Subject.State.ERASED
    Erasure.objects.update(requested_at=F("requested_at") - erasure.RETRY_AFTER)
    assert erasure.continue_all(by=THE_SYSTEM) == {Erasure.State.COMPLETE: 1}


@pytest.mark.parametrize("name", ["destroy", "ledger", "evict compliance.transcript", "verify", "certificate"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_any_step_leaves_something_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    class Crash(BaseException):
        """As if the process were killed: nothing catches it."""

    ada, take = somebody(), erasure_steps.take

    def dying(*, step: ErasureStep, by: Any) -> None:
        if step.name != name:
            return take(step=step, by=by)
        if when == "after":
            take(step=step, by=by)
        raise Crash

    monkeypatch.setattr(erasure_steps, "take", dying)
    with pytest.raises(Crash):
        erased(ada)
    monkeypatch.undo()
    done = erased(ada)
    assert done.state == Erasure.State.COMPLETE
    assert signing.verify(done.certificate or {}, public=signing.public_keys())
    assert len(erasure_ledger.read()) == ErasureEntry.objects.count() == 1
    assert done.key_ids


def test_an_entry_that_only_the_file_knows_is_not_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the file and the commit of the keys database."""
    ada = somebody()

    def dying(entry: Any) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(erasure_entries, "_insert", dying)
        assert erased(ada).state == Erasure.State.INCOMPLETE
    assert (len(erasure_ledger.read()), ErasureEntry.objects.count()) == (1, 0)
    assert erased(ada).state == Erasure.State.COMPLETE
    assert (len(erasure_ledger.read()), ErasureEntry.objects.count()) == (1, 1)


def test_a_store_that_keeps_something_makes_it_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    stores = {each.name: each for each in registry.stores()}
    broken = replace(stores["compliance.transcript"], erase=lambda person: 0)
    with monkeypatch.context() as patch:
        patch.setitem(registry._stores, "compliance.transcript", broken)
        tried = erased(ada)
    assert tried.state == Erasure.State.INCOMPLETE
    assert "1 left" in tried.problem
    assert tried.certificate is None
    assert erased(ada).state == Erasure.State.COMPLETE


def test_verification_tries_to_open_what_was_sealed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A destruction that destroyed nothing does not pass."""
    ada = somebody()
    key = store.subject_keys(ada.tenant_id, [ada.surrogate])
    begun = erasure.begin(person=person_of(ada), request_id=None, by=THE_SYSTEM)
    with monkeypatch.context() as patch:
        patch.setattr(store, "subject_keys", lambda *_: key)
        tried = erasure.advance(erasure=begun, by=THE_SYSTEM)
    assert tried.state == Erasure.State.INCOMPLETE
    assert "and opens" in tried.problem


# --- what may not be erased yet --------------------------------------------------------------------------------------


def test_a_legal_hold_makes_it_wait_and_its_release_lets_it_go_on() -> None:
    ada = somebody()
    hold = LegalHold.objects.create(
        tenant=ada.tenant, title="Case 1", reason="court", scope="subject", surrogate=ada.surrogate, state="active"
    )
    waiting = erased(ada)
    assert waiting.state == Erasure.State.ON_HOLD
    assert "Case 1" in waiting.problem
    assert waiting.fenced_at is None
    assert Subject.objects.get(pk=ada.pk).state == Subject.State.RESTRICTED
    assert Transcript.objects.filter(surrogate=ada.surrogate).exists()
    assert store.subject_keys(ada.tenant_id, [ada.surrogate])
    LegalHold.objects.filter(pk=hold.pk).update(state="release_requested")
    LegalHold.objects.filter(pk=hold.pk).update(state="released", released_at=timezone.now())
    done = erasure.advance(erasure=waiting, by=THE_SYSTEM)
    assert done.state == Erasure.State.COMPLETE


def test_a_release_lets_the_worker_go_on_at_once(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", sent.append)
    hold = LegalHold(tenant=a_tenant(), title="Case 1", scope="tenant")
    with django_capture_on_commit_callbacks(execute=True):
        holds.released(hold)
    assert "compliance.tasks.continue_erasures" in sent


def test_a_law_that_requires_content_makes_it_wait() -> None:
    ada = somebody()
    RetentionPolicy.objects.filter(tenant=None, data_class="content").update(
        days=400, floor_days=365, floor_basis="HIPAA, 45 CFR 164.316"
    )
    waiting = erased(ada)
    assert waiting.state == Erasure.State.ON_HOLD
    assert "HIPAA" in waiting.problem


# --- where else -------------------------------------------------------------------------------------------------------


def test_meters_budgets_and_alerts_of_the_person_go_and_those_of_others_stay() -> None:
    ada = somebody()
    bob = somebody(ada.tenant, "bob")
    a_budget(ada.tenant, end_user=ada.surrogate)
    others = a_budget(ada.tenant, end_user=bob.surrogate)
    for who in (ada, bob):
        Alert.objects.create(
            tenant=ada.tenant,
            kind="budget",
            subject=f"budget/1/day#{who.surrogate}",
            label=f"B, end user {who.surrogate}",
            period_start=timezone.now(),
        )
        with connections["ledger"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO meter (tenant_id, name) VALUES (%s, %s)", [ada.tenant_id, f"budget/1/day#{who.surrogate}"]
            )
    erased(ada)
    assert list(Budget.objects.filter(tenant=ada.tenant)) == [others]
    assert [alert.subject for alert in Alert.objects.filter(tenant=ada.tenant)] == [f"budget/1/day#{bob.surrogate}"]
    assert [meter.name for meter in Meter.objects.filter(tenant_id=ada.tenant_id)] == [f"budget/1/day#{bob.surrogate}"]


def test_a_meter_in_use_is_waited_for() -> None:
    ada = somebody()
    with connections["ledger"].cursor() as cursor:
        name = f"budget/1/day#{ada.surrogate}"
        cursor.execute("INSERT INTO meter (tenant_id, name, held) VALUES (%s, %s, 5)", [ada.tenant_id, name])
    assert erased(ada).state == Erasure.State.INCOMPLETE
    with connections["ledger"].cursor() as cursor:
        cursor.execute("UPDATE meter SET held = 0 WHERE name = %s", [name])
    assert erased(ada).state == Erasure.State.COMPLETE


# --- evidence -------------------------------------------------------------------------------------------------


def test_the_certificate_says_what_was_destroyed_and_verifies() -> None:
    ada = somebody()
    fingerprint = bytes(SubjectKey.objects.get(surrogate=ada.surrogate).fingerprint)
    signed = erased(ada).certificate or {}
    assert signing.verify(signed, public=signing.public_keys())
    told = signed["payload"]
    assert told["subject"] == ada.surrogate
    assert told["keys_destroyed"] == [
        {"id": str(SubjectKey.objects.get(surrogate=ada.surrogate).pk), "fingerprint": fingerprint.hex()}
    ]
    assert DeadKey.objects.filter(pk=fingerprint).exists()
    assert {"name": "compliance.transcript", "title": "Conversations", "erased": 1, "remains": 0} in told["stores"]
    assert told["ledger_entry"] == 1
    assert any("accounting" in each["because"] for each in told["withheld"])
    assert told["irrecoverable_in_backups_by"] > told["keys_destroyed_at"][:10]
    assert not signing.verify({**signed, "payload": {**told, "subject": "eu_x"}}, public=signing.public_keys())


def test_the_certificate_proves_that_the_audit_log_has_its_erasure() -> None:
    done = erased(somebody())
    proof = json.loads(json.dumps((done.certificate or {})["payload"]["audit"]))
    checkpoint = inclusion.verify(proof, publics=signing.public_keys())
    assert checkpoint.origin.endswith(f"/tenant/{done.tenant_id}")
    assert (proof["event"]["action"], proof["event"]["target_id"]) == ("erasure.completed", str(done.pk))
    for change in (
        {"index": proof["index"] - 1},
        {"event": {**proof["event"], "target_id": "another"}},
        {"salts": "00" + proof["salts"][2:]},
        {"proof": proof["proof"][:-1]},
        {"checkpoint": proof["checkpoint"].replace("\n", "\n1", 1)},
    ):
        with pytest.raises(inclusion.InvalidInclusion):
            inclusion.verify({**proof, **change}, publics=signing.public_keys())
    with pytest.raises(inclusion.InvalidInclusion):
        inclusion.verify(proof, publics=[bytes(32)])


def test_neither_ledger_nor_audit_log_nor_certificate_holds_the_external_id() -> None:
    ada = somebody(external_id="ada.lovelace@example.com")
    done = erased(ada)
    events = "".join(f"{event.before}{event.after}{event.reason}" for event in AuditEvent.objects.all())
    files = "".join(path.read_text() for path in erasure_ledger.paths())
    assert "lovelace" not in events + files + str(done.certificate)
    assert ada.surrogate in files


def test_the_mark_follows_the_ledger() -> None:
    erased(somebody())
    erased(somebody())
    mark, last = ErasureMark.objects.get(), erasure_ledger.head()
    assert last
    assert (mark.number, mark.entry_hash) == (2, last.entry_hash)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE keys_erasureentry SET surrogate = ''", "DELETE FROM keys_erasureentry", "TRUNCATE keys_erasureentry"],
)
def test_the_ledger_only_grows(statement: str) -> None:
    erased(somebody())
    with pytest.raises(DatabaseError, match="only grows"), connections["keys"].cursor() as cursor:
        cursor.execute(statement)


def test_the_canary_was_readable_before() -> None:
    ada = somebody()
    key = store.subject_keys(ada.tenant_id, [ada.surrogate])[ada.surrogate]
    done = erased(ada)
    assert len(open_record(bytes(done.canary or b""), key=key.key, place=erasure_steps._place(done))) == 32
