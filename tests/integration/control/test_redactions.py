"""What names an erased person leaves the audit log; every proof stays what it was."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from compliance import audit, named
from compliance.actions import redactions, subjects
from compliance.contracts import Target
from compliance.evidence import leaves
from compliance.models import AuditEvent, Erasure, JobRun, Subject
from tests.factories import THE_SYSTEM
from tests.integration.control.test_erasure import erased, person_of, somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def leaf_of(event: AuditEvent) -> str:
    return leaves.leaf_of({name: getattr(event, name) for name in leaves.COLUMNS}).hex()


def naming(subject: Subject) -> list[AuditEvent]:
    return [each for each in AuditEvent.objects.order_by("pk") if subject.surrogate in repr(vars(each))]


def with_history() -> Subject:
    ada = somebody()
    subjects.restrict(subject=ada, by=THE_SYSTEM, reason=f"{ada.surrogate} asked for it")
    return ada


def test_events_cease_to_name_whom_an_erasure_is_about() -> None:
    ada = with_history()
    before = naming(ada)
    leaf_before = {event.pk: leaf_of(event) for event in before}
    assert len(before) >= 3
    assert any(ada.surrogate in event.reason for event in before)
    assert erased(ada).state == Erasure.State.COMPLETE
    left = naming(ada)
    assert {event.target_kind for event in left} == {"erasure"}, "what proves the erasure"
    for event in AuditEvent.objects.filter(pk__in=leaf_before.keys() - {each.pk for each in left}):
        assert leaf_of(event) == leaf_before[event.pk]
        assert event.subjects == []
        assert event.redacted
        assert len(bytes(event.salts)) == 16 * len(leaves.fields_of(vars(event)))


def test_the_log_says_which_fields_of_which_events() -> None:
    ada = with_history()
    erased(ada)
    said: dict[str, list[str]] = {}
    for event in AuditEvent.objects.filter(action="auditevent.redacted"):
        assert event.target_kind == "erasure"
        assert event.tenant_id == ada.tenant_id
        said |= {pk: sorted(names) for pk, names in event.after["events"].items()}
    assert said == {str(each.pk): sorted(each.redacted) for each in AuditEvent.objects.exclude(redacted={})}


def test_nobody_else_is_redacted() -> None:
    ada, bob = with_history(), with_history()
    before = [(event.pk, event.before, event.after, event.reason) for event in naming(bob)]
    erased(ada)
    assert [(event.pk, event.before, event.after, event.reason) for event in naming(bob)] == before
    assert named.remaining(person_of(ada)) == 0 < named.remaining(person_of(bob))


def test_it_goes_in_slices_and_on_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = with_history()
    monkeypatch.setattr(redactions, "SLICE", 1)
    events = named.remaining(person_of(ada))
    assert redactions.redact(person=person_of(ada), by=THE_SYSTEM) == 1
    assert named.remaining(person_of(ada)) == events - 1
    assert erased(ada).state == Erasure.State.COMPLETE
    assert named.remaining(person_of(ada)) == 0
    assert AuditEvent.objects.filter(action="auditevent.redacted").count() >= events


def test_what_is_written_about_them_afterwards_goes_too() -> None:
    ada = with_history()
    erased(ada)
    event = audit.record(
        by=THE_SYSTEM,
        action="subjectrequest.fulfilled",
        target=Target("subjectrequest", "1"),
        tenant_id=ada.tenant_id,
        after={"surrogate": ada.surrogate},
    )
    event.refresh_from_db()
    before = leaf_of(event)
    assert redactions.redact_late(by=THE_SYSTEM) == 1
    event.refresh_from_db()
    assert event.after == {}
    assert leaf_of(event) == before
    assert redactions.redact_late(by=THE_SYSTEM) == 0


def test_what_no_run_came_to_for_days_is_not_forgotten() -> None:
    """Nor what is older than the last run that failed."""
    ada = with_history()
    erased(ada)
    redactions.redact_late(by=THE_SYSTEM)
    JobRun.objects.update(started_at=timezone.now() - timedelta(days=4))
    JobRun.objects.create(kind=redactions.LATE, state=JobRun.State.FAILED, started_by="system tests")
    event = AuditEvent(
        id=10**6, tenant_id=ada.tenant_id, actor_kind="system", actor_id="system", action="subjectrequest.fulfilled",
        target_kind="subjectrequest", target_id="1", after={"surrogate": ada.surrogate}, subjects=[ada.surrogate],
        salts=bytes(16 * 11), occurred_at=timezone.now() - timedelta(days=3),
    )  # fmt: skip
    event.save(force_insert=True)
    assert redactions.redact_late(by=THE_SYSTEM) == 1
    event.refresh_from_db()
    assert (event.after, event.subjects) == ({}, [])


def test_who_was_erased_since_is_looked_for_in_all_events() -> None:
    """Their erasure may have waited for days between the redaction and its end."""
    ada = with_history()
    redactions.redact_late(by=THE_SYSTEM)
    erased(ada)
    event = audit.record(
        by=THE_SYSTEM, action="subjectrequest.fulfilled", target=Target("subjectrequest", "1"),
        tenant_id=ada.tenant_id, after={"surrogate": ada.surrogate},
    )  # fmt: skip
    JobRun.objects.update(started_at=event.occurred_at + 2 * redactions.OVERLAP)
    Erasure.objects.update(finished_at=event.occurred_at + 3 * redactions.OVERLAP)
    assert redactions.redact_late(by=THE_SYSTEM) == 1


def test_each_search_is_one_of_an_index() -> None:
    """Neither reads events that name nobody."""
    ada = with_history()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # a log as short as this one is read whole,
        cursor.execute("SET LOCAL enable_indexscan = off")  # in its order
        cursor.execute("DROP INDEX audit_tenant")  # or by its tenant
    known, old = (rows.explain() for rows in named.events_naming(person_of(ada)))
    assert "audit_subjects" in known
    assert "audit_unsalted" in old


def test_events_of_before_there_were_salts_are_found_too() -> None:
    ada = somebody()
    event = AuditEvent(
        id=1, version=1, tenant_id=ada.tenant_id, actor_kind="system", actor_id="system", action="subject.restricted",
        target_kind="subject", target_id="7", after={"surrogate": ada.surrogate, "share": 0.5},
    )  # fmt: skip
    event.save(force_insert=True)
    before = leaf_of(AuditEvent.objects.get(pk=1))
    while redactions.redact(person=person_of(ada), by=THE_SYSTEM):
        pass
    event = AuditEvent.objects.get(pk=1)
    assert event.after == {"share": 0.5}
    assert leaf_of(event) == before
