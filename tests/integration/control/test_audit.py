"""The audit log: append-only, and never apart from what it is about."""

from unittest.mock import patch

import pytest
from django.db import DatabaseError, connection, connections, transaction

from accounts.actions import tenants
from accounts.models import Tenant
from billing.models import Tier
from compliance import audit, rows, surrogates
from compliance.contracts import Actor, Target
from compliance.evidence import leaves
from compliance.models import AuditEvent, AuditPending
from tests.factories import THE_SYSTEM, a_tenant, a_tier

pytestmark = pytest.mark.django_db

AN_OFFICER = Actor(kind="user", id="7", ip="127.0.0.1", user_agent="a browser", request_id="r-1")


def test_it_works() -> None:
    tenant = a_tenant()
    tenants.suspend(tenant=tenant, by=AN_OFFICER, reason="unpaid")
    event = AuditEvent.objects.get(action="tenant.suspended")
    assert (event.tenant_id, event.target_id) == (tenant.pk, str(tenant.pk))
    assert (event.before, event.after) == ({"status": "active"}, {"status": "suspended"})
    assert (event.actor_kind, event.actor_id, event.ip, event.reason) == ("user", "7", "127.0.0.1", "unpaid")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE compliance_auditevent SET reason = 'other'",
        "DELETE FROM compliance_auditevent",
        "TRUNCATE compliance_auditevent",
        "TRUNCATE compliance_auditevent CASCADE",
        "SET LOCAL session_replication_role = replica; DELETE FROM compliance_auditevent",
        "DELETE FROM compliance_auditpending",
        "TRUNCATE compliance_auditpending, compliance_auditleaf, compliance_audittile, compliance_auditcheckpoint",
        "SET LOCAL portcullis.audit = 'redact'; UPDATE compliance_auditevent SET outcome = 'refused'",
        "SET LOCAL portcullis.audit = 'redact'; UPDATE compliance_auditevent SET occurred_at = now(), reason = ''",
        "SET LOCAL portcullis.audit = 'sequence'; UPDATE compliance_auditevent SET reason = 'other'",
        "SET LOCAL portcullis.audit = 'sequence'; DELETE FROM compliance_auditevent",
        "SET LOCAL portcullis.audit = 'redact'; DELETE FROM compliance_auditpending",
    ],
)
def test_the_database_refuses_to_change_it_even_for_the_owner(statement: str) -> None:
    a_tenant()
    before = AuditEvent.objects.count()
    with pytest.raises(DatabaseError, match="the audit log only grows"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(statement)
    assert AuditEvent.objects.count() == before > 0


@pytest.mark.parametrize(
    ("purpose", "statement"),
    [
        ("redact", "UPDATE compliance_auditevent SET reason = '', salts = '', redacted = '{}', subjects = '{}'"),
        ("prune", "DELETE FROM compliance_auditevent"),
        ("sequence", "DELETE FROM compliance_auditpending"),
    ],
)
def test_what_has_to_change_changes_for_its_purpose_only(purpose: str, statement: str) -> None:
    a_tenant()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('portcullis.audit', %s, true)", [purpose])
        cursor.execute(statement)
        assert cursor.rowcount > 0
        cursor.execute("SELECT set_config('portcullis.audit', '', true)")
    a_tenant(slug="umbrella")
    with pytest.raises(DatabaseError, match="the audit log only grows"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(statement)


def test_an_event_has_a_salt_for_each_field_and_says_whom_it_names() -> None:
    ada = surrogates.generate()
    a, b = (
        audit.record(
            by=AN_OFFICER,
            action="x.y",
            target=Target("subject", ada),
            tenant_id=None,
            after={"share": 0.5, "inner": {"list": [1.25, ada]}, "none": None},
        )
        for _ in range(2)
    )
    [stored] = AuditEvent.objects.filter(pk=a.pk).values(*leaves.COLUMNS, "subjects")
    assert stored["after"] == {"share": "0.5", "inner": {"list": ["1.25", ada]}, "none": None}
    assert (stored["subjects"], len(stored["salts"])) == ([ada], 16 * len(leaves.fields_of(stored)))
    assert leaves.subjects_of(leaves.fields_of(stored)) == [ada]
    assert len(leaves.leaf_of(stored)) == 32
    assert bytes(a.salts) != bytes(b.salts)


def test_an_event_waits_for_its_place_whoever_has_inserted_it() -> None:
    a_tenant()
    waiting = set(AuditPending.objects.values_list("event_id", flat=True))
    assert set(AuditEvent.objects.values_list("id", flat=True)) <= waiting


def test_an_action_whose_event_cannot_be_written_is_undone() -> None:
    tenant, spare = a_tenant(), a_tier(slug="spare")
    with patch.object(audit, "_inserted", side_effect=DatabaseError("disk full")):
        with pytest.raises(DatabaseError):
            tenants.suspend(tenant=tenant, by=THE_SYSTEM)
        with pytest.raises(DatabaseError):
            tenants.open(tenant=Tenant(slug="umbrella", name="Umbrella"), by=THE_SYSTEM)
        with pytest.raises(DatabaseError):
            rows.delete(spare, by=THE_SYSTEM)
    tenant.refresh_from_db()
    assert tenant.status == "active"
    assert not Tenant.objects.filter(slug="umbrella").exists()
    assert Tier.objects.filter(slug="spare").exists()


def test_a_change_of_nothing_leaves_no_event() -> None:
    tier = a_tier()
    before = AuditEvent.objects.count()
    rows.change(tier, by=THE_SYSTEM)
    assert AuditEvent.objects.count() == before


def test_an_event_outside_a_transaction_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "in_atomic_block", False)
    with pytest.raises(RuntimeError, match="outside a transaction"):
        audit.record(by=THE_SYSTEM, action="x.y", target=Target("x", "1"), tenant_id=None)
