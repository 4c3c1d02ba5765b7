"""Officers are reminded once at each level, whoever runs at once and whatever the mail server does."""

from datetime import UTC, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.utils import timezone

from compliance import officers, tasks
from compliance.actions import request_reminders, requests
from compliance.models import Subject, SubjectRequest
from compliance.selectors_requests import days_left
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_member, a_request, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def _mails_are_kept(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.PUBLIC_URL = "https://portcullis.example"


@pytest.fixture
def ada() -> Subject:
    """Somebody of a tenant with an officer and an owner."""
    person = a_subject()
    a_member(person.tenant, "officer@acme.example", role="officer")
    a_member(person.tenant, "owner@acme.example", role="owner")
    return person


def due_in(ada: Subject, days: int) -> SubjectRequest:
    """A request with so many days left."""
    request: SubjectRequest = a_request(ada)
    day = timezone.now().date() + timedelta(days=days)
    SubjectRequest.objects.filter(pk=request.pk).update(due_on=day, due_at=timezone.now() + timedelta(days=days + 1))
    return request


def pass_days(request: SubjectRequest, left: int) -> None:
    SubjectRequest.objects.filter(pk=request.pk).update(due_on=timezone.now().date() + timedelta(days=left))


def test_it_works(ada: Subject) -> None:
    request = due_in(ada, 7)
    assert tasks.remind_of_subject_requests() == 1
    message = mail.outbox[0]
    assert message.to == ["officer@acme.example"]
    assert message.subject.startswith("Due in 7 days: access request")
    assert f"https://portcullis.example/admin/compliance/subjectrequest/{request.pk}/change/" in message.body
    assert ada.surrogate not in message.body


def test_once_at_each_level(ada: Subject) -> None:
    request, told = due_in(ada, 9), []
    for left in range(9, -4, -1):
        pass_days(request, left)
        for _ in range(2):
            if request_reminders.remind(by=THE_SYSTEM):
                told.append(left)
    assert told == [7, 3, 1, -1]
    subjects = [message.subject.partition(":")[0] for message in mail.outbox]
    assert subjects == ["Due in 7 days", "Due in 3 days", "Due in 1 day", "Overdue"]
    assert request.events.filter(kind="reminded").count() == 4


def test_what_was_received_late_is_told_once_and_not_for_each_level_it_missed(ada: Subject) -> None:
    due_in(ada, 2)
    assert request_reminders.remind(by=THE_SYSTEM) == 1
    assert request_reminders.remind(by=THE_SYSTEM) == 0
    assert len(mail.outbox) == 1


def test_a_closed_request_is_nobodys_worry(ada: Subject) -> None:
    requests.withdraw(request=due_in(ada, 1), by=THE_SYSTEM)
    assert request_reminders.remind(by=THE_SYSTEM) == 0


def test_a_mail_that_was_not_taken_is_sent_the_next_time(ada: Subject) -> None:
    due_in(ada, 3)

    def refuses(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(officers, "send_mail", refuses)
        assert request_reminders.remind(by=THE_SYSTEM) == 0
    assert request_reminders.remind(by=THE_SYSTEM) == 1
    assert len(mail.outbox) == 1


def test_owners_are_told_where_there_is_no_officer() -> None:
    person = a_subject()
    a_member(person.tenant, "owner@acme.example", role="owner")
    a_member(person.tenant, "viewer@acme.example", role="viewer")
    due_in(person, 1)
    request_reminders.remind(by=THE_SYSTEM)
    assert [message.to for message in mail.outbox] == [["owner@acme.example"]]


def test_nobody_to_tell_is_no_reason_to_stop(ada: Subject) -> None:
    request = due_in(a_subject(), 1)
    due_in(ada, 1)
    assert request_reminders.remind(by=THE_SYSTEM) == 1
    assert not request.events.filter(kind="reminded").exists()


def test_what_nobody_could_be_told_is_told_as_soon_as_there_is_somebody() -> None:
    request = due_in(a_subject(), 1)
    assert request_reminders.remind(by=THE_SYSTEM) == 0
    a_member(request.tenant, "officer@acme.example")
    assert request_reminders.remind(by=THE_SYSTEM) == 1
    assert len(mail.outbox) == 1


def test_a_receipt_is_to_be_confirmed_in_time(ada: Subject) -> None:
    request, told = due_in(ada, 40), []
    for left in range(5, -3, -1):
        day = timezone.now().date() + timedelta(days=left)
        SubjectRequest.objects.filter(pk=request.pk).update(acknowledge_by=day)
        for _ in range(2):
            if request_reminders.remind(by=THE_SYSTEM):
                told.append(left)
    assert told == [3, 1, -1]
    assert mail.outbox[0].subject.startswith("Confirm receipt, due in 3 days: access request")
    assert "tell the person that it has arrived" in mail.outbox[0].body


def test_a_receipt_that_is_confirmed_is_nobodys_worry(ada: Subject) -> None:
    request = requests.acknowledge(request=due_in(ada, 40), by=THE_SYSTEM)
    SubjectRequest.objects.filter(pk=request.pk).update(acknowledge_by=timezone.now().date())
    assert request_reminders.remind(by=THE_SYSTEM) == 0


def test_while_the_clock_stands_still_nothing_comes_due(ada: Subject) -> None:
    request = due_in(ada, -30)
    stopped = timezone.now() - timedelta(days=40)
    SubjectRequest.objects.filter(pk=request.pk).update(paused_since=stopped)
    request.refresh_from_db()
    assert days_left(request) == 10
    assert request_reminders.remind(by=THE_SYSTEM) == 0
    SubjectRequest.objects.filter(pk=request.pk).update(paused_since=None)
    assert request_reminders.remind(by=THE_SYSTEM) == 1


def test_what_was_put_off_is_told_again(ada: Subject) -> None:
    request = due_in(ada, 3)
    assert request_reminders.remind(by=THE_SYSTEM) == 1
    pass_days(request, 60)
    assert request_reminders.remind(by=THE_SYSTEM) == 0
    pass_days(request, 7)
    assert request_reminders.remind(by=THE_SYSTEM) == 1


@pytest.mark.parametrize(("hour", "apart"), [(9, 1), (10, 2), (12, 1)])
def test_days_are_those_of_the_tenant(hour: int, apart: int) -> None:
    """What is due today in one place is overdue in another at the same moment: by two days between 10 and 11 UTC."""
    request = a_request(received_at=timezone.now())
    at = timezone.now().astimezone(UTC).replace(hour=hour, minute=30)
    request.zone = "Pacific/Kiritimati"
    east = days_left(request, at=at)
    request.zone = "Pacific/Pago_Pago"
    assert days_left(request, at=at) == east + apart
