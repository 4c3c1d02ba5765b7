"""Closed subject requests go with their history when the law wants them no longer, and never before."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from compliance.actions import erasure, purges, requests
from compliance.models import (
    Rectification,
    RequestStep,
    RetentionPolicy,
    Subject,
    SubjectExport,
    SubjectRequest,
    SubjectRequestEvent,
    Transcript,
)
from compliance.purgers import Scope
from compliance.purging import plans
from compliance.registry import Person
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_request, a_subject, a_transcript
from tests.factories.retention import a_hold, a_retention_policy
from tests.integration.control.test_erasure import somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def closed(subject: Subject | None = None, right: str = "access", *, days: int = 732) -> SubjectRequest:
    """A request that was closed so many days ago."""
    row = requests.withdraw(request=a_request(subject, right), by=THE_SYSTEM)
    return long_ago(row, days)


def long_ago(row: SubjectRequest, days: int = 732) -> SubjectRequest:
    SubjectRequest.objects.filter(pk=row.pk).update(closed_at=timezone.now() - timedelta(days=days))
    row.refresh_from_db()
    return row


def purge() -> int:
    return purges.run_nightly(by=THE_SYSTEM).removed_rows


def test_it_works() -> None:
    old, newer, unclosed = closed(), closed(days=730), a_request()
    [line] = plans.make(Scope(as_of=plans.today())).lines
    assert (line.tenant_id, line.rows) == (old.tenant_id, 1)
    assert line.why == "kept 731 days (policy of the platform) after they were closed"
    assert purge() == 1
    assert set(SubjectRequest.objects.all()) == {newer, unclosed}
    assert not SubjectRequestEvent.objects.filter(request_id=old.pk).exists()
    assert newer.events.exists()


def test_steps_and_the_record_of_an_export_go_along_and_a_file_that_is_there_keeps_them() -> None:
    row = closed()
    RequestStep.objects.create(request=row, position=1, store="export", title="Export")
    export = SubjectExport.objects.create(
        tenant=row.tenant,
        subject=row.subject,
        request=row,
        key_id=row.public_id,
        file_bytes=1,
        zip_sha256="0" * 64,
        records=1,
        expires_on=plans.today(),
    )
    assert purge() == 0
    SubjectExport.objects.filter(pk=export.pk).update(deleted_at=timezone.now())
    assert purge() == 1
    assert [model.objects.count() for model in (RequestStep, SubjectExport, SubjectRequest)] == [0, 0, 0]


def test_a_correction_stays_with_what_it_corrects() -> None:
    ada = somebody()
    row = closed(ada)
    Rectification.objects.create(tenant=ada.tenant, subject=ada, request=row, statement=b"sealed")
    assert purge() == 0
    Transcript.objects.filter(surrogate=ada.surrogate).delete()
    a_transcript(ada)  # of afterwards: nothing in it is corrected
    assert purge() == 1
    assert not Rectification.objects.exists()


def test_duplicates_go_together_with_what_they_repeat() -> None:
    ada = a_subject()
    first = a_request(ada)
    second = a_request(ada, state="acknowledged")
    requests.mark_duplicate(request=second, of=first, by=THE_SYSTEM)
    long_ago(requests.withdraw(request=first, by=THE_SYSTEM))
    assert purge() == 0
    long_ago(second)
    assert purge() == 2


def test_a_tenant_may_keep_them_longer_and_nobody_for_less_than_the_law_says() -> None:
    row = closed(days=1000)
    a_retention_policy(row.tenant, days=1000, data_class="requests")
    assert purge() == 0
    RetentionPolicy.objects.filter(tenant=row.tenant).delete()
    assert purge() == 1


def test_a_hold_keeps_them_unless_it_is_on_somebody_else() -> None:
    tenant = a_tenant()
    held, free = closed(a_subject(tenant)), closed(a_subject(tenant))
    a_hold(tenant, scope="subject", surrogate=held.subject.surrogate)
    assert purge() == 1
    assert list(SubjectRequest.objects.all()) == [held]
    assert free.subject.surrogate != held.subject.surrogate


def test_that_of_an_erased_person_goes_too() -> None:
    ada = somebody()
    closed(ada)
    begun = erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=None, by=THE_SYSTEM)
    erasure.advance(erasure=begun, by=THE_SYSTEM)
    assert purge() == 1


def test_the_database_lets_no_history_go_before_its_time() -> None:
    row = closed(days=700)
    with pytest.raises(Exception, match="only grows"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM compliance_subjectrequestevent WHERE request_id = %s", [row.pk])
