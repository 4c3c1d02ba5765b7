"""What people decided, and what it allows."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from compliance import selectors, signing
from compliance.actions import consents, subjects
from compliance.errors import (
    IllegalTransition,
    KeyStoreUnavailable,
    NoticeNotPublished,
    NoticeSuperseded,
    OlderThanRecorded,
    SubjectErased,
    UnknownPurpose,
)
from compliance.models import AuditEvent, ConsentRecord, Purpose, Subject
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_notice, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

STORE = "store_conversations"


def allowed(subject: Subject, purpose: str = STORE) -> bool:
    return selectors.allows(subject=subject, purpose=purpose)


def withdrawn(subject: Subject, purpose: str = STORE) -> consents.Withdrawal:
    return consents.withdraw(subject=subject, purpose=purpose, by=THE_SYSTEM)


def test_it_works() -> None:
    ada = a_subject()
    assert not allowed(ada)
    record = a_consent(ada)
    assert allowed(ada)
    assert not allowed(ada, "training")
    assert (record.live, record.state, record.notice_version) == (True, "given", 1)
    event = AuditEvent.objects.get(action="consent.given", target_id=str(record.pk))
    assert event.after["surrogate"] == ada.surrogate


# --- the condition -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["requested", "refused"])
def test_a_decision_that_is_no_yes_allows_nothing(state: str) -> None:
    ada = a_subject()
    a_consent(ada, state=state)
    assert not allowed(ada)


def test_it_holds_for_one_person_one_tenant_and_one_purpose() -> None:
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    ada = a_subject(acme, "ada")
    a_consent(ada)
    assert not allowed(a_subject(acme, "bob"))
    assert not allowed(a_subject(umbrella, "ada"))
    assert not allowed(ada, "analytics")


def test_after_a_withdrawal_nothing_is_allowed() -> None:
    ada = a_subject()
    given = a_consent(ada)
    done = withdrawn(ada)
    assert done.record is not None
    assert (done.outcome, done.record.record_id, done.record.state) == ("withdrawn", given.record_id, "withdrawn")
    assert not allowed(ada)
    again = withdrawn(ada)
    assert (again.record, again.outcome) == (done.record, "already_withdrawn")


@pytest.mark.parametrize("state", [None, "requested", "refused"])
def test_withdrawing_what_was_never_given_says_so_and_changes_nothing(state: str | None) -> None:
    ada = a_subject()
    before = a_consent(ada, state=state) if state else None
    done = withdrawn(ada)
    assert (done.outcome, done.record) == ("never_given", before)


def test_after_a_withdrawal_it_can_be_given_again() -> None:
    ada = a_subject()
    a_consent(ada)
    withdrawn(ada)
    a_consent(ada)
    assert allowed(ada)


def test_a_material_change_ends_what_earlier_consents_allow_and_another_does_not() -> None:
    acme = a_tenant()
    ada = a_subject(acme)
    a_consent(ada)
    a_notice(acme, STORE, material_change=False)
    assert allowed(ada)
    a_notice(acme, STORE)
    assert not allowed(ada)
    a_consent(ada, state="reaffirmed")
    assert allowed(ada)


def test_a_draft_of_a_material_change_ends_nothing() -> None:
    acme = a_tenant()
    ada = a_subject(acme)
    a_consent(ada)
    a_notice(acme, STORE, is_published=False)
    assert allowed(ada)


def test_expiry_holds_at_once_and_not_only_when_somebody_notes_it() -> None:
    ada = a_subject()
    moment = timezone.now() + timedelta(seconds=30)
    a_consent(ada, expires_at=moment)
    assert allowed(ada)
    ahead(ada, timedelta(minutes=1))
    assert not allowed(ada)


def ahead(subject: Subject, by: timedelta) -> None:
    """Lets time pass for the person's consents, by moving their expiry back instead of the database's clock."""
    for record in ConsentRecord.objects.filter(subject=subject, expires_at__isnull=False):
        values: dict[str, Any] = {"expires_at": as_time(record.expires_at) - by, "live": record.live}
        ConsentRecord.objects.filter(pk=record.pk).delete()
        ConsentRecord.objects.bulk_create([_copy(record, **values)])


def as_time(value: datetime | None) -> datetime:
    assert value is not None
    return value


def _copy(record: ConsentRecord, **values: Any) -> ConsentRecord:
    fields = {field.attname: getattr(record, field.attname) for field in ConsentRecord._meta.concrete_fields}
    return ConsentRecord(**{**fields, **values})


# --- what cannot be recorded -------------------------------------------------------------------------------------


def test_nobody_can_agree_to_what_no_notice_tells() -> None:
    acme = a_tenant()
    a_notice(acme, STORE, is_published=False)
    with pytest.raises(NoticeNotPublished, match="Publish one"):
        record(a_subject(acme))


def record(subject: Subject, **fields: Any) -> ConsentRecord:
    decision = consents.Decision(**{"purpose": STORE, "state": "given", **fields})
    return consents.record(subject=subject, decision=decision, by=THE_SYSTEM)


def test_a_superseded_notice_is_refused_with_what_to_send_instead() -> None:
    acme = a_tenant()
    ada = a_subject(acme)
    a_notice(acme)
    a_notice(acme)
    a_notice(acme, material_change=False)
    with pytest.raises(NoticeSuperseded, match="send notice_version 3"):
        record(ada, notice_version=1)
    assert record(ada, notice_version=2).notice_version == 2
    assert allowed(ada)


def test_a_refusal_is_recorded_whatever_version_they_saw() -> None:
    acme = a_tenant()
    a_notice(acme)
    a_notice(acme)
    assert record(a_subject(acme), state="refused", notice_version=1).notice_version == 1


def test_a_version_that_was_never_published_is_refused() -> None:
    acme = a_tenant()
    a_notice(acme)
    with pytest.raises(NoticeNotPublished, match="Version 7"):
        record(a_subject(acme), notice_version=7)


def test_the_notice_is_in_the_language_that_people_saw() -> None:
    acme = a_tenant()
    english = a_notice(acme)
    german = a_notice(acme, version=1, language="de")
    assert record(a_subject(acme)).notice == english
    assert record(a_subject(acme), language="de-CH").notice == german
    with pytest.raises(NoticeNotPublished, match="there are: de, en"):
        record(a_subject(acme), language="fr")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"purpose": "world_domination"}, UnknownPurpose, id="unknown purpose"),
        pytest.param({"state": "withdrawn"}, IllegalTransition, id="withdrawn is no decision"),
        pytest.param({"state": "reaffirmed"}, IllegalTransition, id="nothing to reaffirm"),
        pytest.param({"expires_at": timezone.now() - timedelta(days=1)}, ValidationError, id="expired already"),
        pytest.param({"at": timezone.now() + timedelta(days=1)}, ValidationError, id="in the future"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(fields: dict[str, Any], error: type[Exception]) -> None:
    acme = a_tenant()
    ada = a_subject(acme)
    a_notice(acme)
    with pytest.raises(error):
        record(ada, **fields)
    assert not ConsentRecord.objects.filter(subject=ada).exists()


def test_a_purpose_of_another_tenant_is_unknown() -> None:
    umbrella = a_tenant("umbrella")
    Purpose.objects.create(tenant=umbrella, slug="cloning", name="Cloning")
    a_notice(umbrella, "cloning")
    with pytest.raises(UnknownPurpose):
        record(a_subject(), purpose="cloning")


def test_nothing_is_recorded_about_who_was_erased_until_they_are_enrolled_again() -> None:
    ada = a_subject()
    a_notice(ada.tenant)
    Subject.objects.filter(pk=ada.pk).update(state="erased", external_id=None)
    with pytest.raises(SubjectErased, match="enrol them again"):
        record(ada)
    subjects.reenrol(subject=ada, by=THE_SYSTEM, reason="they came back")
    assert record(ada).state == "given"


# --- Sec-GPC -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purpose", "state", "recorded"),
    [
        ("training", "given", ("refused", True)),
        ("analytics", "given", ("refused", True)),
        ("training", "refused", ("refused", True)),
        ("training", "requested", ("requested", False)),
        (STORE, "given", ("given", False)),
    ],
)
def test_a_browsers_opt_out_wins_over_what_the_application_says(
    purpose: str, state: str, recorded: tuple[str, bool]
) -> None:
    ada = a_subject()
    row = a_consent(ada, purpose, state=state, gpc=True)
    assert (row.state, row.opted_out_by_gpc) == recorded


def test_an_opt_out_ends_what_was_given_before_and_can_be_repeated() -> None:
    ada = a_subject()
    a_consent(ada, "training")
    assert allowed(ada, "training")
    for _ in range(2):
        a_consent(ada, "training", state="reaffirmed", gpc=True)
        assert not allowed(ada, "training")


# --- history and receipts ----------------------------------------------------------------------------------------


def test_the_whole_history_is_kept_and_one_record_is_live() -> None:
    ada = a_subject()
    a_consent(ada, state="requested")
    a_consent(ada)
    a_consent(ada, state="reaffirmed")
    withdrawn(ada)
    records = selectors.history(subject=ada)
    assert [row.state for row in records] == ["withdrawn", "reaffirmed", "given", "requested"]
    assert [row.live for row in records] == [True, False, False, False]
    assert len({row.record_id for row in records}) == 1
    assert len({row.receipt_id for row in records}) == 4


def test_the_database_keeps_one_live_record() -> None:
    row = a_consent()
    with pytest.raises(IntegrityError, match="consent_one_live"), transaction.atomic():
        ConsentRecord.objects.bulk_create([_copy(row, id=None, receipt_id="0" * 32)])


@pytest.mark.parametrize(
    "change",
    [{"state": "given"}, {"live": True}, {"notice_version": 9}, {"receipt": {"payload": {}}}, {"expires_at": None}],
)
def test_the_database_keeps_history_as_it_was(change: dict[str, Any]) -> None:
    ada = a_subject()
    a_consent(ada, expires_at=timezone.now() + timedelta(days=1))
    withdrawn(ada)
    old = ConsentRecord.objects.filter(subject=ada, live=False)
    a_consent(ada)
    changed = old.filter(state="withdrawn") if "state" in change else old.filter(state="given")
    with pytest.raises(DatabaseError, match="is history"), transaction.atomic():
        changed.update(**change)


def test_a_receipt_is_signed_and_names_nobody() -> None:
    acme = a_tenant()
    row = a_consent(a_subject(acme, "ada@example.com"))
    assert row.receipt is not None
    assert signing.verify(row.receipt, public=signing.public_keys())
    assert row.receipt["payload"]["receipt_id"] == str(row.receipt_id)
    assert "ada@example.com" not in str(row.receipt)
    forged = {**row.receipt, "payload": {**row.receipt["payload"], "record_id": "x"}}
    assert not signing.verify(forged, public=signing.public_keys())


def test_a_key_store_that_is_down_holds_up_no_withdrawal(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = a_subject()
    a_consent(ada)
    with monkeypatch.context() as patch:
        patch.setattr(signing, "sign", down)
        done = withdrawn(ada)
        assert done.record is not None
        assert done.record.receipt is None
        assert not allowed(ada)
        with pytest.raises(KeyStoreUnavailable):
            consents.sign_receipts()
    assert consents.sign_receipts() >= 1
    done.record.refresh_from_db()
    assert signing.verify(done.record.receipt or {}, public=signing.public_keys())


def down(*_: Any, **__: Any) -> None:
    raise KeyStoreUnavailable("down")


# --- ends --------------------------------------------------------------------------------------------------------


def test_what_has_expired_is_put_on_record_once() -> None:
    ada, bob = a_subject(), a_subject()
    a_consent(ada, expires_at=timezone.now() + timedelta(minutes=1))
    a_consent(bob, expires_at=timezone.now() + timedelta(days=1))
    ahead(ada, timedelta(minutes=5))
    assert consents.expire() == 1
    assert consents.expire() == 0
    assert [row.state for row in selectors.history(subject=ada)] == ["expired", "given"]
    assert allowed(bob)
    a_consent(ada, state="reaffirmed")
    assert allowed(ada)


@pytest.mark.parametrize("state", ["terminated", "invalidated"])
def test_an_officer_ends_a_consent_with_a_reason(state: str) -> None:
    ada = a_subject()
    row = a_consent(ada)
    with pytest.raises(ValidationError, match="Say why"):
        consents.end(record=row, state=state, by=THE_SYSTEM, reason=" ")
    ended = consents.end(record=row, state=state, by=THE_SYSTEM, reason="it was a test")
    assert not allowed(ada)
    with pytest.raises(IllegalTransition, match="Another record"):
        consents.end(record=row, state=state, by=THE_SYSTEM, reason="again")
    assert AuditEvent.objects.get(target_id=str(ended.pk), action=f"consent.{state}").reason == "it was a test"


def test_audit_events_name_nobody() -> None:
    acme = a_tenant()
    a_consent(a_subject(acme, "ada@example.com"))
    events = AuditEvent.objects.filter(tenant_id=acme.pk)
    assert events.filter(action="subject.enrolled").exists()
    assert "ada@example.com" not in str(list(events.values()))


# --- what arrives late, and what is sent again -------------------------------------------------------------------


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def states(subject: Subject) -> list[str]:
    return [row.state for row in selectors.history(subject=subject)]


def test_what_was_given_before_a_withdrawal_and_arrives_after_it_revives_nothing() -> None:
    ada = a_subject()
    a_consent(ada, at=ago(days=2))
    withdrawn(ada)
    with pytest.raises(OlderThanRecorded, match="older than what is on record: withdrawn at"):
        record(ada, at=ago(hours=1))
    assert not allowed(ada)
    assert states(ada) == ["withdrawn", "given"]


@pytest.mark.parametrize("state", ["given", "refused", "reaffirmed", "requested"])
def test_what_is_older_than_what_is_on_record_is_refused_whatever_it_says(state: str) -> None:
    ada = a_subject()
    a_consent(ada, at=ago(hours=1))
    with pytest.raises(OlderThanRecorded):
        record(ada, state=state, at=ago(hours=2))
    assert allowed(ada)


def test_of_a_yes_and_a_no_of_the_same_moment_the_no_holds() -> None:
    ada, moment = a_subject(), ago(hours=1)
    a_consent(ada, state="refused", at=moment)
    with pytest.raises(OlderThanRecorded):
        record(ada, at=moment)
    bob = a_subject()
    a_consent(bob, at=moment)
    assert record(bob, state="refused", at=moment).live
    assert not allowed(bob)


def test_what_comes_now_holds_although_the_clock_before_was_ahead() -> None:
    ada = a_subject()
    given = a_consent(ada)
    ahead_of_us = timezone.now() + timedelta(seconds=30)
    ConsentRecord.objects.filter(pk=given.pk).delete()
    ConsentRecord.objects.bulk_create([_copy(given, event_at=ahead_of_us)])
    done = withdrawn(ada).record
    assert done is not None
    assert done.event_at == ahead_of_us
    assert record(ada).event_at == ahead_of_us
    assert allowed(ada)


@pytest.mark.parametrize("state", ["refused", "requested"])
def test_the_same_decision_again_adds_nothing(state: str) -> None:
    ada = a_subject()
    first = a_consent(ada, state=state)
    decision = consents.Decision(purpose=STORE, state=state)
    again = consents.decide(subject=ada, decision=decision, by=THE_SYSTEM)
    assert (again.record, again.is_new) == (first, False)
    a_notice(ada.tenant)
    anew = consents.decide(subject=ada, decision=decision, by=THE_SYSTEM)
    assert (anew.is_new, anew.record.notice_version) == (True, 2)
    assert states(ada) == [state, state]


def test_a_decision_that_is_sent_again_with_its_time_is_the_one_there_is() -> None:
    ada, moment = a_subject(), ago(hours=1)
    first = a_consent(ada, at=moment)
    assert record(ada, at=moment) == first
    with pytest.raises(IllegalTransition):
        record(ada)
    assert states(ada) == ["given"]
