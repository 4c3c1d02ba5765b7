"""What was stored with a consent that is then taken back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from accounts.models import Tenant
from compliance.actions import consents, retention, withdrawn_content
from compliance.models import AuditEvent, ConsentRecord, LegalHold, RetentionPolicy, Subject, Transcript
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

STORE = "store_conversations"


@pytest.fixture
def ada() -> Subject:
    """Somebody who consented, of a tenant that stores."""
    acme = a_tenant()
    a_content_policy(acme)
    ada = a_subject(acme)
    a_consent(ada)
    return ada


def withdraw(subject: Subject, purpose: str = STORE) -> ConsentRecord:
    done = consents.withdraw(subject=subject, purpose=purpose, by=THE_SYSTEM)
    assert done.record is not None
    return done.record


def erase(record: ConsentRecord) -> int:
    return withdrawn_content.erase(record_id=record.pk, by=THE_SYSTEM)


def left(subject: Subject) -> int:
    return Transcript.objects.filter(surrogate=subject.surrogate).count()


def test_it_goes_and_that_of_others_stays(ada: Subject) -> None:
    bob = a_subject(ada.tenant)
    a_consent(bob)
    for person in (ada, ada, bob):
        a_transcript(person)
    record = withdraw(ada)
    assert erase(record) == 2
    assert (left(ada), left(bob)) == (0, 1)
    event = AuditEvent.objects.get(action="consent.content_erased", target_id=str(record.pk))
    assert event.after == {"surrogate": ada.surrogate, "purpose": STORE, "conversations": 2}
    assert erase(record) == 0


def test_what_was_stored_with_a_later_consent_stays(ada: Subject) -> None:
    a_transcript(ada)
    record = withdraw(ada)
    a_consent(ada)
    kept = a_transcript(ada)
    assert erase(record) == 1
    assert [row.pk for row in Transcript.objects.filter(surrogate=ada.surrogate)] == [kept.pk]


def test_a_tenant_may_keep_it_until_it_is_due(ada: Subject) -> None:
    a_content_policy(ada.tenant, on_withdrawal="keep")
    a_transcript(ada)
    assert erase(withdraw(ada)) == 0
    assert left(ada) == 1


def test_what_is_held_stays(ada: Subject) -> None:
    kept = a_transcript(ada)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transcript SET held = true WHERE id = %s", [kept.pk])
    assert erase(withdraw(ada)) == 0
    assert left(ada) == 1


@pytest.mark.parametrize("on_withdrawal", ["erase", "keep"])
def test_a_purpose_that_is_taken_back_is_taken_off_what_stays(ada: Subject, on_withdrawal: str) -> None:
    a_content_policy(ada.tenant, on_withdrawal=on_withdrawal)
    a_consent(ada, "training")
    a_consent(ada, "analytics")
    row = a_transcript(ada)
    assert row.also_for == ["analytics", "training"]
    assert erase(withdraw(ada, "training")) >= 0
    row.refresh_from_db()
    assert row.also_for == ["analytics"]


def test_more_than_a_slice_goes_slice_by_slice(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawn_content, "SLICE", 2)
    for _ in range(5):
        a_transcript(ada)
    record = withdraw(ada)
    assert erase(record) == 5
    assert AuditEvent.objects.filter(action="consent.content_erased", target_id=str(record.pk)).count() == 3


def test_what_ended_otherwise_stays_until_it_is_due(ada: Subject) -> None:
    a_transcript(ada)
    row = ConsentRecord.objects.get(subject=ada, live=True)
    ended = consents.end(record=row, state="terminated", by=THE_SYSTEM, reason="the purpose is given up")
    assert erase(ended) == 0
    assert left(ada) == 1


def test_it_is_enqueued_once_the_withdrawal_is_committed(
    ada: Subject, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: sent.append((name, args)))
    with django_capture_on_commit_callbacks(execute=True):
        record = withdraw(ada)
        assert sent == []
    assert sent == [("compliance.tasks.erase_withdrawn", (record.pk,))]


def test_a_refusal_and_an_opt_out_take_back_too(ada: Subject) -> None:
    a_transcript(ada)
    assert erase(a_consent(ada, state="refused")) == 1


def test_what_was_stored_after_the_time_that_a_late_refusal_names_goes_too(ada: Subject) -> None:
    early = a_subject(ada.tenant)
    a_consent(early, at=timezone.now() - timedelta(days=2))
    a_transcript(early)
    refused = a_consent(early, state="refused", at=timezone.now() - timedelta(days=1))
    assert erase(refused) == 1
    a_transcript(ada)
    withdraw(ada)
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 1


def test_a_late_refusal_is_found_however_old_its_time(ada: Subject) -> None:
    early = a_subject(ada.tenant)
    a_consent(early, at=timezone.now() - timedelta(days=100))
    a_transcript(early)
    a_consent(early, state="refused", at=timezone.now() - timedelta(days=99))
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 1
    assert left(early) == 0


def test_a_gateway_whose_clock_is_ahead_leaves_nothing(ada: Subject) -> None:
    a_transcript(ada, at=(timezone.now() + timedelta(minutes=1)).isoformat())
    assert erase(withdraw(ada)) == 1


# --- what a law requires to be kept ------------------------------------------------------------------------------


def a_law(tenant: Tenant, days: int) -> RetentionPolicy:
    policy = RetentionPolicy(
        tenant=tenant, data_class="content", days=400, floor_days=days, floor_basis="Banking Act", reason="The law"
    )
    return retention.add(policy=policy, by=THE_SYSTEM)


def days_ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


def recorded_at(record: ConsentRecord, at: datetime) -> ConsentRecord:
    """The same record, put on record at that time."""
    values = {field.attname: getattr(record, field.attname) for field in ConsentRecord._meta.concrete_fields}
    record.delete()
    return ConsentRecord.objects.bulk_create([ConsentRecord(**{**values, "created_at": at})])[0]


def test_what_a_law_requires_stays_and_the_rest_goes(ada: Subject) -> None:
    a_law(ada.tenant, 365)
    a_consent(ada, "training")
    kept = a_transcript(ada, at=days_ago(365).isoformat())
    a_transcript(ada, at=days_ago(366).isoformat())
    withdraw(ada, "training")
    assert erase(withdraw(ada)) == 1
    assert [row.pk for row in Transcript.objects.filter(surrogate=ada.surrogate)] == [kept.pk]
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 0
    kept.refresh_from_db()  # the other purpose is taken off all the same
    assert kept.also_for == []


def test_everybodys_law_holds_for_a_tenant_with_a_policy_of_its_own(ada: Subject) -> None:
    a_law(ada.tenant, 0)
    everybodys = RetentionPolicy.objects.get(tenant=None, data_class="content")
    everybodys.days, everybodys.floor_days, everybodys.floor_basis = 100, 90, "Telecoms Act"
    retention.change(policy=everybodys, by=THE_SYSTEM)
    a_transcript(ada)
    assert erase(withdraw(ada)) == 0


def test_what_a_law_required_goes_when_it_does_not_any_more_however_long_ago_it_was_withdrawn(ada: Subject) -> None:
    policy = a_law(ada.tenant, 365)
    RetentionPolicy.objects.update(changed_at=days_ago(30))
    a_transcript(ada, at=days_ago(367).isoformat())
    recorded_at(withdraw(ada), days_ago(366))
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 1
    bob = a_subject(ada.tenant)
    a_consent(bob)
    a_transcript(bob, at=days_ago(200).isoformat())
    recorded_at(withdraw(bob), days_ago(199))
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 0
    assert left(bob) == 1
    policy.floor_days = 100
    retention.change(policy=policy, by=THE_SYSTEM)
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 1


def test_what_a_law_required_goes_when_the_policy_is_deleted(ada: Subject) -> None:
    policy = a_law(ada.tenant, 365)
    RetentionPolicy.objects.update(changed_at=days_ago(30))
    a_transcript(ada, at=days_ago(200).isoformat())
    recorded_at(withdraw(ada), days_ago(199))
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 0
    retention.remove(policy=policy, by=THE_SYSTEM)
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 1


def test_what_no_task_has_done_is_found_later(ada: Subject) -> None:
    a_transcript(ada)
    withdraw(ada)
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 1
    assert left(ada) == 0
    assert withdrawn_content.erase_missed(by=THE_SYSTEM) == 0


def test_what_a_hold_keeps_goes_once_it_has_ended(ada: Subject) -> None:
    a_transcript(ada)
    hold = LegalHold.objects.create(
        tenant=ada.tenant, title="A dispute", reason="Keep it", scope="tenant", state="active", active_at=timezone.now()
    )
    record = withdraw(ada)
    assert erase(record) == 0  # though nothing has set it apart yet
    hold.state = LegalHold.State.RELEASE_REQUESTED
    hold.save()
    assert erase(record) == 0
    assert withdrawn_content.erase_missed(by=THE_SYSTEM, days=0) == 0
    hold.state, hold.released_at = LegalHold.State.RELEASED, timezone.now() + timedelta(minutes=1)
    hold.save()
    assert withdrawn_content.erase_missed(by=THE_SYSTEM, days=0) == 1
    assert left(ada) == 0
