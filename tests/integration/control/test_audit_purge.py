"""Audit events go when their time is over, oldest first; hashes, proofs and the verifier's word stay."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Tenant
from compliance import verification
from compliance.actions import purges
from compliance.evidence import checking, proofs
from compliance.evidence.checking import Wanted
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditTile, JobRun, PurgeRun
from compliance.purgers import PLATFORM, Scope
from compliance.purging import audit as purging
from compliance.purging import plans
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.audit import events, sealed, tamper, trying
from tests.factories.retention import a_hold, a_retention_policy

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OLD = 200
FLOOR = 184


@pytest.fixture
def acme() -> Tenant:
    """A log of ten old events and five of today; the tenant keeps them as long as it must."""
    tenant = a_tenant()
    a_retention_policy(tenant, data_class="audit", days=FLOOR)
    tamper("UPDATE compliance_auditevent SET occurred_at = occurred_at - %s", [timedelta(days=OLD)])
    sealed(5, tenant=tenant)
    return tenant


def log_of(tenant: Tenant) -> AuditLog:
    return AuditLog.objects.get(tenant_id=tenant.pk)


def due(tenant_id: int) -> int:
    lines = [line for line in plans.make(Scope(as_of=plans.today())).of(purging.STORE) if line.tenant_id == tenant_id]
    return sum(line.rows for line in lines)


def run() -> PurgeRun:
    plan = plans.make(Scope(as_of=plans.today()))
    return purges.run(plan_hash=plan.hash, as_of=plan.as_of, by=THE_SYSTEM)


def test_it_works(acme: Tenant) -> None:
    old, tiles = due(acme.pk), AuditTile.objects.count()
    proof = proofs.inclusion(log_of(acme), old, log_of(acme).size)
    assert old > 0
    assert run().state == PurgeRun.State.DONE
    log = log_of(acme)
    assert (log.pruned_to, AuditTile.objects.count()) == (old, tiles)
    assert next(iter(AuditLeaf.objects.filter(log=log).values_list("index", flat=True))) == old
    assert not AuditEvent.objects.filter(tenant_id=acme.pk, occurred_at__lt=AuditEvent.objects.latest("id").occurred_at
                                         - timedelta(days=FLOOR)).exists()  # fmt: skip
    assert proofs.inclusion(log, old, AuditCheckpoint.objects.filter(log=log).latest("size").size) == proof
    assert checking.check(Wanted()).findings == [], "also while the event that says so waits for its place"
    sealed()
    assert checking.check(Wanted()).findings == []
    assert due(acme.pk) == 0


def test_the_log_says_how_far_it_was_pruned(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "SLICE", 1)
    old = due(acme.pk)
    run()
    said = AuditEvent.objects.filter(action="auditlog.pruned", tenant_id=acme.pk).order_by("id")
    assert [(event.after["from"], event.after["to"]) for event in said] == [(n, n + 1) for n in range(old)]
    sealed()
    found = trying("UPDATE compliance_auditlog SET pruned_to = pruned_to + 1 WHERE tenant_id = %s", [acme.pk],
                   lambda: checking.check(Wanted()).findings)  # fmt: skip
    assert any("no pruning says so" in each.text or "where all events were removed" in each.text for each in found)


def test_the_platforms_events_stay_as_long_as_everybodys_policy_says(acme: Tenant) -> None:
    events(3)
    tamper("UPDATE compliance_auditevent SET occurred_at = occurred_at - interval '7 years' WHERE tenant_id IS NULL")
    sealed()
    old = due(PLATFORM)
    assert old >= 3
    run()
    assert AuditLog.objects.get(tenant_id=None).pruned_to == old
    sealed()
    assert checking.check(Wanted()).findings == []


def test_the_law_has_events_kept_for_six_months_and_for_six_years() -> None:
    with pytest.raises(ValidationError, match="184 days are required by law"):
        a_retention_policy(a_tenant(), data_class="audit", days=FLOOR - 1)
    hospital = a_tenant()
    a_retention_policy(hospital, data_class="audit", days=2190, floor_days=2190, floor_basis="HIPAA, 45 CFR 164.316")
    tamper("UPDATE compliance_auditevent SET occurred_at = occurred_at - interval '5 years'")
    sealed()
    assert due(hospital.pk) == 0


def test_a_legal_hold_keeps_the_log_of_its_tenant(acme: Tenant) -> None:
    old = due(acme.pk)
    a_hold(acme)
    (line,) = [each for each in plans.make(Scope(as_of=plans.today())).lines if each.store == purging.STORE]
    assert (line.rows, line.held_rows) == (0, old)
    run()
    assert log_of(acme).pruned_to == 0


def test_nothing_goes_where_an_event_is_missing_or_an_alarm_is_open(acme: Tenant) -> None:
    first = AuditLeaf.objects.filter(log=log_of(acme)).earliest("index").event_id
    trying("DELETE FROM compliance_auditevent WHERE id = %s", [first], run)
    assert log_of(acme).pruned_to == 0
    JobRun.objects.create(kind=verification.KIND, state="done", started_by="a test", result={"findings": 1})
    run()
    assert log_of(acme).pruned_to == 0
