"""Issuing and ending API keys."""

import pytest
from django.core.exceptions import ValidationError

from accounts.actions import keys, tenants
from accounts.errors import KeyNotActive, TenantNotActive
from accounts.models import ApiKey
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
