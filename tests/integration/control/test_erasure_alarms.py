"""Officers are told of an erasure that does not come to an end: once, and only when it has had its time."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.db.models import F

from compliance import officers, tasks
from compliance.actions import erasure_alarms, keys
from compliance.errors import KeyStoreUnavailable
from compliance.models import Erasure, Subject
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_member
from tests.integration.control.test_erasure import erased, somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def _mails_are_kept(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.PUBLIC_URL = "https://portcullis.example"


@pytest.fixture
def ada() -> Subject:
    person = somebody()
    a_member(person.tenant, "officer@acme.example")
    return person


@pytest.fixture
def stuck(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> Erasure:
    """Fenced, and no key store since."""

    def down(**_: Any) -> Any:
        raise KeyStoreUnavailable("The keys database does not answer.")

    monkeypatch.setattr(keys, "destroy_subject_keys", down)
    return erased(ada)


def for_an_hour() -> None:
    Erasure.objects.update(fenced_at=F("fenced_at") - erasure_alarms.TELL_AFTER)


def test_it_works(stuck: Erasure) -> None:
    for_an_hour()
    assert tasks.continue_erasures()["told"] == 1
    [message] = mail.outbox
    assert message.to == ["officer@acme.example"]
    assert "The keys database does not answer." in message.body
    assert f"https://portcullis.example/admin/compliance/erasure/{stuck.pk}/change/" in message.body
    assert tasks.continue_erasures()["told"] == 0, "once"


def test_nobody_is_told_of_what_may_be_over_in_a_minute(stuck: Erasure) -> None:
    assert erasure_alarms.tell(by=THE_SYSTEM) == 0
    assert mail.outbox == []


def test_nobody_is_told_of_one_that_waits_for_a_hold_or_is_complete(ada: Subject) -> None:
    assert erased(ada).state == Erasure.State.COMPLETE
    for_an_hour()
    assert erasure_alarms.tell(by=THE_SYSTEM) == 0


def test_a_mail_that_is_not_taken_is_sent_the_next_time(stuck: Erasure, monkeypatch: pytest.MonkeyPatch) -> None:
    for_an_hour()

    def refused(*_: Any) -> Any:
        raise OSError("no route")

    with monkeypatch.context() as patch:
        patch.setattr(officers, "tell_of_erasure", refused)
        assert erasure_alarms.tell(by=THE_SYSTEM) == 0
    assert erasure_alarms.tell(by=THE_SYSTEM) == 1
    assert len(mail.outbox) == 1
