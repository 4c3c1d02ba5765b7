"""The correction of what applications call a person."""

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.test import Client

from compliance import selectors
from compliance.actions import erasure, keys, renames, subjects
from compliance.errors import ActionRefused, KeyStoreUnavailable, SubjectErased
from compliance.external_ids import external_id_of
from compliance.lookups import lookup_of
from compliance.models import AuditEvent, Subject
from compliance.registry import Person
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript
from tests.factories.control import an_admin
from tests.factories.retention import a_hold

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

WRONG, RIGHT = "canary-aad@acme.example", "canary-ada@acme.example"


@pytest.fixture
def ada() -> Subject:
    return a_subject(a_tenant(), WRONG)


def renamed(subject: Subject, external_id: str = RIGHT, reason: str = "misspelt, ticket 7") -> Subject:
    return renames.rename(subject=subject, external_id=external_id, by=THE_SYSTEM, reason=reason)


def page_of(subject: Subject, name: str = "rename") -> str:
    return f"/admin/compliance/subject/{subject.pk}/{name}/"


def test_it_works(ada: Subject) -> None:
    found = renamed(ada)
    assert (found.pk, found.surrogate, found.state) == (ada.pk, ada.surrogate, "active")
    assert external_id_of(Subject.objects.get(pk=ada.pk)) == RIGHT
    assert selectors.find(tenant_id=ada.tenant_id, external_id=RIGHT) == ada
    assert selectors.find(tenant_id=ada.tenant_id, external_id=WRONG) is None


def test_whoever_has_the_former_id_from_then_on_is_somebody_new(ada: Subject) -> None:
    renamed(ada)
    lookups = {lookup_of(ada.tenant_id, name): name for name in (WRONG, RIGHT)}
    known = subjects.resolve(tenant_id=ada.tenant_id, wanted=lookups)
    assert known[lookup_of(ada.tenant_id, RIGHT)].surrogate == ada.surrogate
    new = known[lookup_of(ada.tenant_id, WRONG)]
    assert new.surrogate != ada.surrogate
    assert external_id_of(Subject.objects.get(pk=new.subject_id)) == WRONG


def test_the_event_names_the_surrogate_and_neither_id(ada: Subject) -> None:
    renamed(ada)
    event = AuditEvent.objects.get(action="subject.renamed")
    assert (event.target_id, event.tenant_id, event.reason) == (str(ada.pk), ada.tenant_id, "misspelt, ticket 7")
    assert event.after == {"surrogate": ada.surrogate}
    assert "canary" not in f"{event.before} {event.after}"


@pytest.mark.parametrize("state", ["active", "erased"])
def test_an_id_that_is_taken_is_refused(ada: Subject, state: str) -> None:
    other = a_subject(ada.tenant, RIGHT)
    if state == "erased":
        erasure.begin(person=Person(other.tenant_id, other.surrogate), request_id=None, by=THE_SYSTEM)
    with pytest.raises(ActionRefused, match="Somebody else has this id"):
        renamed(ada)
    assert external_id_of(Subject.objects.get(pk=ada.pk)) == WRONG
    assert not AuditEvent.objects.filter(action="subject.renamed").exists()


def test_the_same_id_of_another_tenant_is_another_persons(ada: Subject) -> None:
    other = a_subject(a_tenant("umbrella"), RIGHT)
    renamed(ada)
    assert selectors.find(tenant_id=other.tenant_id, external_id=RIGHT) == other


@pytest.mark.parametrize("name", ["", " ", "x" * 129, "a\0b"], ids=["empty", "blank", "long", "NUL"])
def test_an_id_that_no_request_could_name_is_refused(ada: Subject, name: str) -> None:
    with pytest.raises(ValidationError, match="1 to 128 characters"):
        renamed(ada, name)


def test_nothing_is_corrected_without_a_reason_or_to_the_same(ada: Subject) -> None:
    with pytest.raises(ValidationError, match="Say why"):
        renamed(ada, reason=" ")
    with pytest.raises(ActionRefused, match="this id already"):
        renamed(ada, WRONG)


def test_the_erased_are_called_nothing(ada: Subject) -> None:
    erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=None, by=THE_SYSTEM)
    for row in Subject.objects.filter(tenant=ada.tenant):
        with pytest.raises(SubjectErased):
            renamed(row)


def test_who_is_to_be_erased_cannot_be_renamed_out_of_it(ada: Subject) -> None:
    a_content_policy(ada.tenant)
    a_consent(ada)
    a_transcript(ada)
    a_hold(ada.tenant, scope="tenant")
    waiting = erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=None, by=THE_SYSTEM)
    assert waiting.state == "on_hold"
    with pytest.raises(ActionRefused, match="is to be erased"):
        renamed(ada)


def test_without_the_keys_nothing_changes(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(**_fields: object) -> None:
        raise KeyStoreUnavailable("no answer")

    monkeypatch.setattr(keys, "make_subject_keys", down)
    with pytest.raises(KeyStoreUnavailable):
        renamed(ada)
    assert selectors.find(tenant_id=ada.tenant_id, external_id=WRONG) == ada


# --- the page --------------------------------------------------------------------------------------------------------


def signed_in(client: Client, *rights: str) -> None:
    person = an_admin(is_superuser=False)
    person.user_permissions.set(Permission.objects.filter(codename__in=("view_subject", *rights)))
    client.force_login(person)


def test_an_officer_who_may_identify_corrects_the_id(client: Client, ada: Subject) -> None:
    signed_in(client, "change_subject", "identify_subject")
    assert page_of(ada)[:-1] in client.get(page_of(ada, "change")).content.decode()
    assert client.get(page_of(ada)).status_code == 200
    answer = client.post(page_of(ada), {"external_id": RIGHT, "reason": "ticket 7"})
    assert (answer.status_code, answer["Location"]) == (302, page_of(ada, "change"))
    assert selectors.find(tenant_id=ada.tenant_id, external_id=RIGHT) == ada


@pytest.mark.parametrize("rights", [("change_subject",), ("identify_subject",)], ids=["changes", "identifies"])
def test_nobody_else_does(client: Client, ada: Subject, rights: tuple[str, ...]) -> None:
    signed_in(client, *rights)
    assert client.post(page_of(ada), {"external_id": RIGHT, "reason": "ticket 7"}).status_code == 403
    assert page_of(ada)[:-1] not in client.get(page_of(ada, "change")).content.decode()


def test_a_refusal_is_shown_and_the_form_stays(client: Client, ada: Subject) -> None:
    a_subject(ada.tenant, RIGHT)
    signed_in(client, "change_subject", "identify_subject")
    answer = client.post(page_of(ada), {"external_id": RIGHT, "reason": "ticket 7"})
    assert "Somebody else has this id" in answer.content.decode()
    assert "Enter" not in answer.content.decode()
    blank = client.post(page_of(ada), {"external_id": "  ", "reason": "ticket 7"}).content.decode()
    assert "1 to 128 characters" in blank
