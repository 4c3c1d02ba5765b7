"""A leaked key that cannot be ended is suspended, is tried again, and keeps no other one alive."""

from typing import Any

import pytest
from django.test import Client

from accounts.actions import applications, keys, rotations, tenants
from accounts.models import ApiKey, Application, RetiringSecret, Tenant
from billing.models import Alert
from compliance import audit, sealed
from compliance.errors import KeyStoreUnavailable
from compliance.models import AuditEvent
from gateway.actions import leaks
from gateway.leaks.finding import Sighting
from gateway.models import Leak
from tests.factories import THE_SYSTEM, a_key
from tests.factories.leaks import a_scanning_key
from tests.integration.control.test_leaks import a_report, send, status_of, works

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def see(*texts: str) -> None:
    sightings = [Sighting(text=text, source="traffic") for text in texts]
    assert leaks.note(sightings=sightings, by=THE_SYSTEM) == len(texts)


def spoil(key: ApiKey) -> None:
    """Gives it a scope that there was once, and that no rule allows any more."""
    ApiKey.objects.filter(pk=key.pk).update(scopes=["gone"])


@pytest.fixture
def unsuspendable(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Numbers of keys of which nothing can be put on record, so that nothing can be done with them."""
    numbers: set[int] = set()
    right = audit.record

    def record(**values: Any) -> Any:
        target = values["target"]
        if target.kind == "apikey" and int(target.id) in numbers:
            raise ValueError("no record of it can be kept")
        return right(**values)

    monkeypatch.setattr(audit, "record", record)
    return numbers


def keep_kms_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def seal(value: bytes, *, context: str) -> bytes:
        raise KeyStoreUnavailable("the provider of the root keys does not answer")

    monkeypatch.setattr(sealed, "seal", seal)


def test_a_key_with_a_scope_that_is_no_more_is_ended() -> None:
    key, text = a_key()
    spoil(key)
    see(text)
    assert leaks.handle_all(by=THE_SYSTEM) == 1
    assert status_of(key) == "revoked"


def test_what_is_stored_of_a_key_does_not_keep_it_from_being_ended_or_replaced() -> None:
    key, _ = a_key()
    spoil(key)
    keys.suspend(key=key, by=THE_SYSTEM)
    keys.resume(key=key, by=THE_SYSTEM)
    rotations.rotate(key=key, by=THE_SYSTEM)
    RetiringSecret.objects.update(last_four="")
    rotations.end_overlap(key=key, by=THE_SYSTEM)
    keys.revoke(key=key, by=THE_SYSTEM)
    assert status_of(key) == "revoked"


def test_nor_a_tenant_or_an_application_from_being_suspended() -> None:
    key, _ = a_key()
    Tenant.objects.filter(pk=key.tenant_id).update(name="")
    Application.objects.filter(pk=key.application_id).update(name="")
    applications.suspend(application=key.application, by=THE_SYSTEM)
    tenants.suspend(tenant=key.tenant, by=THE_SYSTEM)
    assert Application.objects.get(pk=key.application_id).status == "suspended"
    assert Tenant.objects.get(pk=key.tenant_id).status == "suspended"


def test_one_that_resists_keeps_no_other_one_alive(unsuspendable: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "MOST", 1)
    resisting, text = a_key()
    another, other_text = a_key(application=resisting.application)
    unsuspendable.add(resisting.pk)
    see(text, other_text)
    assert leaks.handle_all(by=THE_SYSTEM) == 1
    assert (status_of(resisting), status_of(another)) == ("active", "revoked")
    told = Alert.objects.filter(kind="key_leaked", subject__startswith=f"apikey {resisting.pk} ")
    assert ["still works" in alert.label for alert in told] == [True, True]
    unsuspendable.clear()
    assert leaks.handle_all(by=THE_SYSTEM) == 1
    assert status_of(resisting) == "revoked"
    assert told.filter(cleared_at=None, label__endswith="Key revoked.").count() == 2


def test_nor_another_one_of_the_same_report(unsuspendable: set[int]) -> None:
    a_scanning_key()
    resisting, text = a_key()
    another, other_text = a_key(application=resisting.application)
    unsuspendable.add(resisting.pk)
    assert [each["label"] for each in send(a_report(text, other_text)).json()] == ["true_positive"] * 2
    assert (status_of(resisting), status_of(another)) == ("active", "revoked")


def test_while_its_secret_cannot_be_replaced_the_key_is_suspended(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEAKED_KEYS = "rotate"
    key, text = a_key()
    see(text)
    keep_kms_away(monkeypatch)
    assert leaks.handle_all(by=THE_SYSTEM) == 0
    assert not works(text)
    leak = Leak.objects.get()
    assert (leak.outcome, leak.handled_at, status_of(key)) == ("suspended", None, "suspended")
    assert Alert.objects.filter(kind="key_leaked", label__contains="Key suspended").count() == 2
    assert leaks.handle_all(by=THE_SYSTEM) == 0
    assert AuditEvent.objects.filter(action="apikey.leaked").count() == 1

    keys.resume(key=key, by=THE_SYSTEM)
    assert leaks.handle_all(by=THE_SYSTEM) == 0
    assert not works(text), "resuming it brings the leaked secret back for seconds only"

    monkeypatch.undo()
    assert leaks.handle_all(by=THE_SYSTEM) == 1
    leak.refresh_from_db()
    assert leak.outcome == "rotated"
    assert Alert.objects.filter(kind="key_leaked", cleared_at=None, label__contains="resume it").count() == 2
    keys.resume(key=key, by=THE_SYSTEM)
    assert not works(text)
    assert status_of(key) == "active"


def test_it_is_shown_as_suspended(settings: Any, monkeypatch: pytest.MonkeyPatch, admin_client: Client) -> None:
    settings.LEAKED_KEYS = "rotate"
    _, text = a_key()
    see(text)
    keep_kms_away(monkeypatch)
    leaks.handle_all(by=THE_SYSTEM)
    assert "Key suspended for now" in admin_client.get("/admin/gateway/leak/").content.decode()
