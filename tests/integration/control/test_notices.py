"""Notices are fixed once they are published, whoever writes."""

import hashlib

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction

from compliance.actions import notices, purposes
from compliance.errors import ActionRefused
from compliance.models import AuditEvent, ConsentNotice, Purpose
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_notice

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def test_it_works() -> None:
    acme = a_tenant()
    first, second = a_notice(acme, text="One.\r\nTwo."), a_notice(acme)
    assert (first.version, second.version) == (1, 2)
    assert first.text_sha256 == hashlib.sha256(b"One.\nTwo.").hexdigest()
    assert AuditEvent.objects.filter(action="consentnotice.published", tenant_id=acme.pk).count() == 2


def test_a_published_one_is_neither_changed_nor_removed_by_an_action() -> None:
    notice = a_notice(a_tenant())
    notice.text = "Something else."
    for act in (notices.change, notices.remove, notices.publish):
        with pytest.raises(ActionRefused, match="make a new version"):
            act(notice=notice, by=THE_SYSTEM)


@pytest.mark.parametrize("column", ["text", "title", "version", "material_change", "status", "controller"])
def test_nor_by_the_database(column: str) -> None:
    rows = ConsentNotice.objects.filter(pk=a_notice(a_tenant()).pk)
    value = {"version": 9, "material_change": False, "status": "draft"}.get(column, "x")
    with pytest.raises(DatabaseError, match="is published"), transaction.atomic():
        rows.update(**{column: value})
    with pytest.raises(DatabaseError, match="is published"), transaction.atomic():
        rows.delete()


def test_a_hash_that_is_not_the_texts_is_refused_by_the_database() -> None:
    draft = a_notice(a_tenant(), is_published=False)
    with pytest.raises(IntegrityError, match="notice_hash_of_text"), transaction.atomic():
        ConsentNotice.objects.filter(pk=draft.pk).update(text="Something else.")


def test_a_draft_is_changed_and_removed() -> None:
    draft = a_notice(a_tenant(), is_published=False)
    draft.text = "Better."
    changed = notices.change(notice=draft, by=THE_SYSTEM)
    assert changed.text_sha256 == hashlib.sha256(b"Better.").hexdigest()
    notices.remove(notice=draft, by=THE_SYSTEM)
    assert not ConsentNotice.objects.filter(pk=draft.pk).exists()


def test_an_old_version_cannot_be_published_after_a_newer_one() -> None:
    acme = a_tenant()
    a_notice(acme)
    late = a_notice(acme, version=1, language="de", is_published=False)
    a_notice(acme)
    with pytest.raises(ActionRefused, match="give this one the number 3"):
        notices.publish(notice=late, by=THE_SYSTEM)


def test_all_languages_of_a_version_agree_on_whether_the_terms_changed() -> None:
    acme = a_tenant()
    a_notice(acme, material_change=True)
    german = a_notice(acme, version=1, language="de", material_change=False, is_published=False)
    with pytest.raises(ActionRefused, match="the same in all languages"):
        notices.publish(notice=german, by=THE_SYSTEM)


def test_a_notice_is_about_a_purpose_that_there_is() -> None:
    with pytest.raises(ValidationError, match="no purpose cloning"):
        a_notice(a_tenant(), "cloning")


def test_a_tenant_has_purposes_of_its_own() -> None:
    acme = a_tenant()
    cloning = purposes.add(purpose=Purpose(tenant=acme, slug="cloning", name="Cloning"), by=THE_SYSTEM)
    a_notice(acme, "cloning")
    with pytest.raises(ActionRefused, match="must stay to be shown"):
        purposes.remove(purpose=cloning, by=THE_SYSTEM)
    with pytest.raises(ValidationError, match="everybody has already"):
        purposes.add(purpose=Purpose(tenant=acme, slug="training", name="Ours"), by=THE_SYSTEM)
    with pytest.raises(ValidationError, match="Choose the tenant"):
        purposes.add(purpose=Purpose(slug="everything", name="Everything"), by=THE_SYSTEM)


@pytest.mark.parametrize("slug", ["store_conversations", "training", "analytics"])
def test_those_that_everybody_has_stay(slug: str) -> None:
    purpose = Purpose.objects.get(tenant=None, slug=slug)
    assert purpose.honours_gpc == (slug != "store_conversations")
    for act in (purposes.change, purposes.remove):
        with pytest.raises(ActionRefused, match="everybody has"):
            act(purpose=purpose, by=THE_SYSTEM)
