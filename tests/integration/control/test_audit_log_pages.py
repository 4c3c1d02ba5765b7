"""What the admin shows of the audit log's trees, their checkpoints, and the keys that sign them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts.roles import OFFICERS
from compliance.actions import audit_log, signing_keys
from compliance.evidence import notes
from compliance.keyring import signers
from compliance.keyring.models import SigningKey
from compliance.models import AuditLog
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture
def officer(client: Client) -> Client:
    call_command("seed_groups", verbosity=0)
    person = an_admin()
    person.is_superuser = False
    person.save()
    person.groups.add(Group.objects.get(name=OFFICERS))
    client.force_login(person)
    return client


def page(browser: Client, name: str, *args: Any) -> str:
    answer = browser.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_logs_page_has_all_that_a_verifier_needs(officer: Client) -> None:
    acme = a_tenant()
    [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=acme.pk)
    signing_keys.make_signing_key(by=THE_SYSTEM)
    listed = page(officer, "admin:compliance_auditlog_changelist")
    assert made.log.origin in listed
    assert acme.name in listed
    shown = page(officer, "admin:compliance_auditlog_change", made.log_id)
    assert escape(made.note) in shown
    for public in signers.public_keys():
        assert escape(notes.verifier_key(made.log.origin, public)) in shown


def test_a_checkpoint_is_shown_as_it_was_signed(officer: Client) -> None:
    [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=a_tenant().pk)
    assert made.log.origin in page(officer, "admin:compliance_auditcheckpoint_changelist")
    shown = page(officer, "admin:compliance_auditcheckpoint_change", made.pk)
    assert escape(made.note) in shown
    assert "not yet" in shown
    audit_log.deliver()
    assert "not yet" not in page(officer, "admin:compliance_auditcheckpoint_change", made.pk)


def test_signing_keys_say_when_they_signed_and_what_each_log_is_verified_by(officer: Client) -> None:
    a_tenant()
    old = signing_keys.make_signing_key(by=THE_SYSTEM)
    SigningKey.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=400))
    audit_log.checkpoint(by=THE_SYSTEM)
    new = signing_keys.make_signing_key(by=THE_SYSTEM)
    listed = page(officer, "admin:keys_signingkey_changelist")
    assert f"{timezone.now() - timedelta(days=400):%Y-%m-%d}" in listed
    assert all(bytes(key.public).hex()[:16] in listed for key in (old, new))
    for key in (old, new):
        shown = page(officer, "admin:keys_signingkey_change", key.pk)
        for log in AuditLog.objects.all():
            assert escape(notes.verifier_key(log.origin, bytes(key.public))) in shown
        assert bytes(key.public).hex() in shown
        assert bytes(key.wrapped).hex() not in shown


def test_who_may_not_see_the_audit_log_sees_none_of_it(client: Client) -> None:
    person = an_admin()
    person.is_superuser = False
    person.save()
    client.force_login(person)
    for name in ("compliance_auditlog", "compliance_auditcheckpoint", "keys_signingkey"):
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 403


def test_the_front_page_says_when_events_wait_for_long(officer: Client) -> None:
    a_tenant()
    late = "wait for their place in the audit log"
    assert late not in page(officer, "admin:index")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compliance.audit_lag.LATE", timedelta(seconds=-1))
        assert late in page(officer, "admin:index")
        audit_log.checkpoint(by=THE_SYSTEM)
        audit_log.checkpoint(by=THE_SYSTEM)
        shown = page(officer, "admin:index")
        assert late not in shown
        assert "are not outside of the database yet" in shown
        audit_log.deliver()
        assert "are not outside of the database yet" not in page(officer, "admin:index")
