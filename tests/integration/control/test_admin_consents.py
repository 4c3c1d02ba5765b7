"""The privacy pages: notices, consents, people, policies; and what each of them keeps from whom."""

import re
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from compliance import selectors
from compliance.models import AuditEvent, ConsentNotice, ConsentRecord, ContentPolicy, Subject
from tests.factories import a_tenant
from tests.factories.compliance import a_consent, a_notice, a_subject
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

ADA = "ada@example.com"
STORE = "store_conversations"
FIELDS = {
    "purpose": STORE,
    "language": "en",
    "title": "What we keep",
    "text": "We keep\r\nwhat you write.",
    "controller": "Acme Ltd",
    "lawful_basis": "consent",
    "personal_data": "prompts\nanswers",
    "material_change": "on",
}


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_admin())
    return client


def officer(client: Client, *rights: str) -> Client:
    """Somebody with these rights of compliance, and no others."""
    person = an_admin(is_superuser=False)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="compliance", codename__in=rights))
    client.force_login(person)
    return client


def page(table: str, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:compliance_{table}_{name}", args=args)


def step(client: Client, row: Any, name: str, reason: str = "a ticket") -> Any:
    table = row._meta.model_name
    url = reverse(f"admin:compliance_{table}_{name}", args=(row.pk,))
    return client.post(url, {"reason": reason}, follow=True)


# --- notices -----------------------------------------------------------------------------------------------------


def test_a_notice_is_drafted_published_and_followed_by_a_new_version(browser: Client) -> None:
    acme = a_tenant()
    browser.post(page("consentnotice", "add"), {**FIELDS, "tenant": acme.pk})
    draft = ConsentNotice.objects.get(tenant=acme)
    assert (draft.version, draft.status, draft.text) == (1, "draft", "We keep\nwhat you write.")
    assert draft.personal_data == ["prompts", "answers"]
    step(browser, draft, "publish")
    draft.refresh_from_db()
    assert draft.status == "published"
    followed = browser.get(page("consentnotice", "new_version", draft.pk), follow=True)
    assert "what you write." in followed.content.decode()
    browser.post(page("consentnotice", "add"), {**FIELDS, "tenant": acme.pk, "title": "Second"})
    assert ConsentNotice.objects.get(tenant=acme, title="Second").version == 2
    browser.post(page("consentnotice", "add"), {**FIELDS, "tenant": acme.pk, "version": 1, "language": "de"})
    assert ConsentNotice.objects.get(tenant=acme, language="de").version == 1


def test_saving_a_notice_says_that_it_is_a_draft(browser: Client) -> None:
    acme = a_tenant()
    answer = browser.post(page("consentnotice", "add"), {**FIELDS, "tenant": acme.pk}, follow=True)
    draft = ConsentNotice.objects.get(tenant=acme)
    assert "It is a draft, which nobody is shown." in answer.content.decode()
    assert page("consentnotice", "publish", draft.pk) in answer.content.decode()


def test_publishing_says_who_must_be_asked_again_and_which_languages_are_gone(browser: Client) -> None:
    ada = a_subject()
    a_notice(ada.tenant, language="en")
    a_notice(ada.tenant, language="de", version=1)
    a_consent(ada)
    a_consent(a_subject(ada.tenant), state="refused")
    second = a_notice(ada.tenant, is_published=False)
    before = browser.get(page("consentnotice", "publish", second.pk)).content.decode()
    answer = step(browser, second, "publish").content.decode()
    for shown in (before, answer):
        assert "The terms changed: 1 person must be asked again." in shown
    assert "also in de; this one is not" in before
    assert "was also in de, in which there is no notice any more" in answer
    assert f"?from={second.pk}&amp;translate=1" in answer
    assert not selectors.allows(subject=ada, purpose=STORE)


def test_the_first_version_changed_nothing(browser: Client) -> None:
    first = a_notice(a_tenant(), is_published=False)
    listed = browser.get(page("consentnotice")).context["cl"]
    assert listed.model_admin.change(first) == "First"
    assert "The terms changed" not in step(browser, first, "publish").content.decode()


def test_a_published_notice_cannot_be_changed_or_deleted(browser: Client) -> None:
    notice = a_notice(a_tenant())
    assert browser.post(page("consentnotice", "change", notice.pk), FIELDS).status_code == 403
    assert browser.post(page("consentnotice", "delete", notice.pk), {"post": "yes"}).status_code == 403
    assert f"/{notice.pk}/publish" not in browser.get(page("consentnotice", "change", notice.pk)).content.decode()


# --- consents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words"),
    [("given", "Yes"), ("refused", "No: refused"), ("requested", "No: only asked for")],
)
def test_the_list_says_whether_a_consent_allows_anything(browser: Client, state: str, words: str) -> None:
    row = a_consent(state=state)
    assert selectors.allows(subject=row.subject, purpose=STORE) == (words == "Yes")
    assert shown_of(browser, row, "allows") == words
    assert f">{words}<" in "".join(browser.get(page("consentrecord", "change", row.pk)).content.decode().split("\n"))


def test_changed_terms_show_on_every_consent_to_the_old_ones(browser: Client) -> None:
    ada = a_subject()
    row = a_consent(ada)
    assert (shown_of(browser, row, "allows"), held(browser, ada)) == ("Yes", "1")
    a_notice(ada.tenant, version=2, material_change=True)
    assert (shown_of(browser, row, "allows"), held(browser, ada)) == ("No: terms changed", "0")


def test_what_was_followed_by_another_allows_nothing(browser: Client) -> None:
    ada = a_subject()
    row = a_consent(ada)
    step(browser, row, "withdraw")
    assert (shown_of(browser, row, "allows"), shown_of(browser, row, "latest")) == (
        "No: followed by another",
        "Followed by another",
    )
    newest = ConsentRecord.objects.get(subject=ada, live=True)
    assert (shown_of(browser, newest, "allows"), shown_of(browser, newest, "latest")) == ("No: withdrawn", "Yes")


def shown_of(browser: Client, row: ConsentRecord, name: str) -> str:
    """What the list of consents says of a row in one column."""
    listed = browser.get(page("consentrecord"), {"subject__id__exact": row.subject_id}).context["cl"]
    found = next(each for each in listed.result_list if each.pk == row.pk)
    return str(getattr(listed.model_admin, name)(found))


def held(browser: Client, person: Subject) -> str:
    listed = browser.get(page("subject"), {"q": person.surrogate}).context["cl"]
    return re.sub("<[^>]*>", "", listed.model_admin.consents_held(listed.result_list[0]))


@pytest.mark.parametrize(("name", "state"), [("withdraw", "withdrawn"), ("invalidate", "invalidated")])
def test_an_officer_ends_a_consent_with_a_reason(client: Client, name: str, state: str) -> None:
    ada = a_subject()
    row = a_consent(ada)
    client = officer(client, "view_consentrecord", "change_consentrecord")
    assert b"required" in step(client, row, name, reason="").content
    assert selectors.allows(subject=ada, purpose=STORE)
    step(client, row, name, reason="ticket 7")
    assert not selectors.allows(subject=ada, purpose=STORE)
    event = AuditEvent.objects.get(action=f"consent.{state}", tenant_id=ada.tenant_id)
    assert (event.reason, event.actor_kind) == ("ticket 7", "user")
    shown = client.get(page("consentrecord", "change", row.pk)).content.decode()
    assert "Withdraw</a>" not in shown
    assert str(row.receipt_id) in shown


def test_whoever_may_only_look_ends_nothing(client: Client) -> None:
    row = a_consent()
    client = officer(client, "view_consentrecord")
    assert client.get(page("consentrecord", "change", row.pk)).status_code == 200
    for name in ("withdraw", "terminate", "invalidate"):
        assert step(client, row, name).status_code == 403
    assert client.get(reverse("admin:compliance_consentrecord_bring_in")).status_code == 403


def imported(client: Client, tenant: Any, text: str, **more: str) -> Any:
    file = BytesIO(text.encode())
    file.name = "consents.csv"
    url = reverse("admin:compliance_consentrecord_bring_in")
    return client.post(url, {"tenant": tenant.pk, "file": file, **more}, follow=True)


def test_a_file_is_imported_as_a_whole_or_with_its_faults_shown(browser: Client) -> None:
    acme = a_tenant()
    a_notice(acme)
    good = f"subject,purpose,state\n{ADA},{STORE},given\n"
    text = imported(browser, acme, good + f"bob,{STORE},perhaps\n").content.decode()
    assert "Line 3: state is one of" in text
    assert not ConsentRecord.objects.filter(tenant=acme).exists()
    assert "1 decisions were recorded" in imported(browser, acme, good).content.decode()
    assert "must name the columns" in imported(browser, acme, "name\nada\n").content.decode()


# --- people ------------------------------------------------------------------------------------------------------


def test_a_person_is_found_by_what_applications_call_them_and_no_address_says_it(browser: Client) -> None:
    acme = a_tenant()
    ada = a_subject(acme, ADA)
    url = reverse("admin:compliance_subject_find")
    for name in (ADA, ada.surrogate):
        answer = browser.post(url, {"tenant": acme.pk, "external_id": name})
        assert answer["Location"] == page("subject", "change", ada.pk)
    nobody = browser.post(url, {"tenant": acme.pk, "external_id": "nobody"})
    assert "has named such a person" in nobody.content.decode()
    assert "no-store" in nobody["Cache-Control"]


def test_who_somebody_is_is_shown_for_a_reason_and_put_on_record(client: Client) -> None:
    ada = a_subject(a_tenant(), ADA)
    client = officer(client, "view_subject", "identify_subject")
    assert ADA not in client.get(page("subject", "change", ada.pk)).content.decode()
    assert ADA not in step(client, ada, "identify", reason="").content.decode()
    assert not AuditEvent.objects.filter(action="subject.identified").exists()
    shown = step(client, ada, "identify", reason="ticket 7")
    assert ADA in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    event = AuditEvent.objects.get(action="subject.identified")
    assert event.reason == "ticket 7"
    assert ADA not in str(event.after)


def test_without_the_right_nobody_is_told_who_it_is(client: Client) -> None:
    ada = a_subject(a_tenant(), ADA)
    client = officer(client, "view_subject", "change_subject")
    assert step(client, ada, "identify").status_code == 403
    assert "Who is this?" not in client.get(page("subject", "change", ada.pk)).content.decode()


def test_a_restriction_stops_storing_until_it_ends(browser: Client) -> None:
    ada = a_subject()
    step(browser, ada, "restrict")
    ada.refresh_from_db()
    assert ada.state == "restricted"
    step(browser, ada, "unrestrict")
    ada.refresh_from_db()
    assert ada.state == "active"


def test_only_who_has_the_right_ends_a_restriction(client: Client) -> None:
    ada = a_subject()
    client = officer(client, "view_subject", "change_subject", "read_transcript")
    step(client, ada, "restrict")
    assert step(client, ada, "unrestrict").status_code == 403
    assert "End restriction" not in client.get(page("subject", "change", ada.pk)).content.decode()
    ada.refresh_from_db()
    assert ada.state == "restricted"
    step(officer(client, "view_subject", "unrestrict_subject"), ada, "unrestrict")
    ada.refresh_from_db()
    assert ada.state == "active"


def test_only_who_has_the_right_enrols_an_erased_person_again(client: Client) -> None:
    ada = a_subject()
    Subject.objects.filter(pk=ada.pk).update(state="erased", external_id=None)
    assert step(officer(client, "view_subject", "change_subject"), ada, "reenrol").status_code == 403
    step(officer(client, "view_subject", "reenrol_subject"), ada, "reenrol")
    ada.refresh_from_db()
    assert ada.state == "active"
    assert AuditEvent.objects.get(action="subject.reenrolled").reason == "a ticket"


# --- policies ----------------------------------------------------------------------------------------------------


def test_a_policy_says_why_nothing_would_be_stored(browser: Client) -> None:
    acme = a_tenant()
    sent = {"tenant": acme.pk, "store": "on", "redaction": "required", "on_withdrawal": "erase", "regime": "gdpr"}
    text = browser.post(page("contentpolicy", "add"), sent, follow=True).content.decode()
    assert "nobody can consent" in text
    assert ContentPolicy.objects.get(tenant=acme).store


def test_processing_needs_a_notice_before_it_needs_consent(browser: Client) -> None:
    acme = a_tenant()
    sent = {
        "tenant": acme.pk,
        "redaction": "none",
        "on_withdrawal": "erase",
        "regime": "gdpr",
        "processing_purpose": "analytics",
    }
    refused = browser.post(page("contentpolicy", "add"), sent)
    assert "every request would be refused" in refused.content.decode()
    a_notice(acme, "analytics")
    browser.post(page("contentpolicy", "add"), sent)
    assert ContentPolicy.objects.get(tenant=acme).processing_purpose == "analytics"


def test_what_is_built_in_cannot_be_changed(browser: Client) -> None:
    from compliance.models import Purpose

    training = Purpose.objects.get(slug="training", tenant=None)
    assert browser.post(page("purpose", "change", training.pk), {"name": "x"}).status_code == 403
    acme = a_tenant()
    taken = {"tenant": acme.pk, "name": "Training", "slug": "training"}
    assert "everybody has already" in browser.post(page("purpose", "add"), taken).content.decode()
