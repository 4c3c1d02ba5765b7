"""Issuing and ending API keys."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.actions import keys, tenants
from accounts.errors import KeyNotActive, TenantNotActive
from accounts.models import ApiKey, Tenant
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_key, a_tenant

pytestmark = pytest.mark.django_db


def test_it_works() -> None:
    key, text = a_key()
    assert key.public_id in text
    assert text not in str(list(ApiKey.objects.values()))


def test_issuing_is_audited_without_the_digest() -> None:
    key, _ = a_key()
    event = AuditEvent.objects.get(action="apikey.created", target_id=str(key.pk))
    assert event.tenant_id == key.tenant_id
    assert "digest" not in event.after


def test_a_suspended_key_can_be_resumed() -> None:
    key, _ = a_key()
    assert keys.suspend(key=key, by=THE_SYSTEM).status == "suspended"
    assert keys.resume(key=key, by=THE_SYSTEM).status == "active"


def test_a_revoked_key_stays_revoked() -> None:
    key, _ = a_key()
    keys.revoke(key=key, by=THE_SYSTEM, reason="leaked")
    for action in (keys.resume, keys.suspend, keys.revoke):
        with pytest.raises(KeyNotActive):
            action(key=key, by=THE_SYSTEM)
    assert AuditEvent.objects.filter(action="apikey.revoked", reason="leaked", target_id=str(key.pk)).count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"environment": "test"}, id="unknown environment"),
        pytest.param({"scopes": ["everything"]}, id="unknown scope"),
        pytest.param({"allowed_networks": ["10.0.0.0/99"]}, id="no network"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_key(**fields)  # type: ignore[arg-type]


def test_closing_a_tenant_revokes_its_keys() -> None:
    tenant = a_tenant()
    key, _ = a_key(tenant=tenant)
    tenants.close(tenant=tenant, by=THE_SYSTEM)
    key.refresh_from_db()
    assert key.status == "revoked"
    with pytest.raises(TenantNotActive):
        a_key(tenant.applications.get())


def test_a_change_made_on_an_older_copy_does_not_revive_a_revoked_key() -> None:
    key, _ = a_key()
    older_copy = ApiKey.objects.get(pk=key.pk)
    keys.revoke(key=key, by=THE_SYSTEM)
    older_copy.name = "renamed"
    with pytest.raises(KeyNotActive):
        keys.change(key=older_copy, by=THE_SYSTEM)
    key.refresh_from_db()
    assert key.status == "revoked"


def test_a_change_made_on_an_older_copy_does_not_resume_what_was_suspended() -> None:
    key, _ = a_key()
    older_key, older_tenant = ApiKey.objects.get(pk=key.pk), Tenant.objects.get(pk=key.tenant_id)
    keys.suspend(key=key, by=THE_SYSTEM)
    tenants.suspend(tenant=key.tenant, by=THE_SYSTEM)
    older_key.name = older_tenant.name = "renamed"
    assert keys.change(key=older_key, by=THE_SYSTEM).status == "suspended"
    assert tenants.change(tenant=older_tenant, by=THE_SYSTEM).status == "suspended"
    key.refresh_from_db()
    assert (key.name, key.status) == ("renamed", "suspended")


@pytest.mark.parametrize(
    ("table", "status"), [("accounts_apikey", "revoked"), ("accounts_tenant", "closed")], ids=["key", "tenant"]
)
def test_the_database_keeps_what_is_final(table: str, status: str) -> None:
    key, _ = a_key()
    tenants.close(tenant=key.tenant, by=THE_SYSTEM)
    with pytest.raises(IntegrityError, match=f"is {status} for good"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET status = 'active', {status}_at = NULL")


@pytest.mark.parametrize("zone", ["localtime", "Factory", "Mars/Olympus", ""])
def test_a_time_zone_that_budgets_could_not_follow_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError):
        a_tenant(time_zone=zone)
