"""What the admin shows of keys and long jobs."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from compliance import signing, tasks
from compliance.actions import jobs, keys, rotations
from compliance.keyring import store
from compliance.keyring.models import TenantKey
from compliance.models import JobRun
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

KEYS, JOBS = "admin:keys_tenantkey_changelist", "admin:compliance_jobrun_changelist"


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_admin())
    return client


def text_of(browser: Client, page: str, *args: Any) -> str:
    answer = browser.get(reverse(page, args=args))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_a_tenants_keys_are_listed_with_what_they_wrap(browser: Client) -> None:
    acme = a_tenant().pk
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice", "eu_bob"])
    rotations.rotate_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    shown = text_of(browser, KEYS)
    assert "2 people&#x27;s keys" in shown
    assert "0 people&#x27;s keys" in shown
    assert "In use" in shown
    assert "Retired" in shown
    key = TenantKey.objects.get(tenant_id=acme, version=2)
    page = text_of(browser, "admin:keys_tenantkey_change", key.pk)
    assert bytes(key.fingerprint).hex() in page
    secret = [store.tenant_keys(acme)[2], bytes(key.wrapped or b"")]
    assert not any(each.hex() in shown + page for each in secret)


def test_root_keys_are_listed_with_what_needs_them(browser: Client, settings: Any) -> None:
    keys.make_tenant_key(tenant_id=a_tenant().pk, by=THE_SYSTEM)
    assert "tenants&#x27; keys: 1" in text_of(browser, KEYS)
    settings.ROOT_KEYS = {**settings.ROOT_KEYS, 2: b"n" * 32}
    rotations.rewrap_root(by=THE_SYSTEM)
    assert "ask to retire it</a>" in text_of(browser, KEYS)
    settings.ROOT_KEYS = {3: b"3" * 32}
    assert "missing: what needs it cannot be opened" in text_of(browser, KEYS)


def test_the_public_key_that_signatures_verify_by_is_shown(browser: Client) -> None:
    assert "it is made with the first signature" in text_of(browser, KEYS)
    signed = signing.sign({"a": 1}, kind="test")
    assert signed["key"] in text_of(browser, KEYS)


def test_who_may_not_see_jobs_may_not_see_keys(client: Client) -> None:
    person = an_admin()
    person.is_superuser = False
    person.save()
    client.force_login(person)
    assert client.get(reverse(KEYS)).status_code == 403


def test_a_job_shows_how_far_it_is(browser: Client) -> None:
    with jobs.running(kind="rotate_tenant_key", key="7", tenant_id=a_tenant().pk, by=THE_SYSTEM) as progress:
        progress.at(2500, 10_000, "wrapping people's keys anew")
        shown = text_of(browser, JOBS)
        assert "25%" in shown
        assert "2,500 of 10,000, wrapping people&#x27;s keys anew" in shown
        progress.at(10_000)
        progress.result = {"wrapped": 10_000}
    run = JobRun.objects.get()
    page = text_of(browser, "admin:compliance_jobrun_change", run.pk)
    assert "wrapped: 10,000" in page
    assert "100%" in page


def test_a_job_that_died_says_so(browser: Client) -> None:
    JobRun.objects.create(kind="purge", started_by="system tests")
    assert "No sign of life" not in text_of(browser, JOBS)
    JobRun.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    assert "No sign of life" in text_of(browser, JOBS)


def test_keys_are_rotated_by_the_clock_unless_that_is_off(settings: Any) -> None:
    acme = a_tenant().pk
    keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    TenantKey.objects.update(created_at=timezone.now() - timedelta(days=400))
    settings.TENANT_KEY_DAYS = 0
    assert tasks.rotate_due_keys() == 0
    settings.TENANT_KEY_DAYS = 365
    assert tasks.rotate_due_keys() == 1
    assert tasks.rotate_due_keys() == 0
