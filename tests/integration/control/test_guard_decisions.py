"""What guards decided is kept by month, goes when it is due, and ceases to point to people who are erased."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from msgspec import json

from accounts.models import Tenant
from compliance.actions import purges
from compliance.purgers import Scope
from compliance.purging import plans
from compliance.registry import Person, stores
from gateway.actions import guard_decisions
from gateway.models import GuardDecision
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.retention import a_hold

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])
TODAY = date(2023, 6, 15)
LONG_AGO = datetime(2022, 1, 31, 23, 59, tzinfo=UTC)
LATER = datetime(2022, 2, 1, tzinfo=UTC)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def a_decision(tenant: Tenant, at: datetime = LONG_AGO, **fields: Any) -> UUID:
    """A row of the table, as gateways write them."""
    row = {
        "id": str(uuid4()),
        "request_id": str(uuid4()),
        "at": at,
        "tenant_id": tenant.pk,
        "application_id": 1,
        "api_key_id": 1,
        "environment": "dev",
        "model": "m",
        "surrogate": "",
        "policy_id": 0,
        "guard": "secrets",
        "rule": "jwt",
        "action": 3,
        "direction": "prompt",
        "role": "user",
        "count": 1,
        "score": 1.0,
        "error": "",
        **fields,
    }
    assert run("SELECT store_guard_decisions(%s::jsonb)", json.encode([row]).decode()) == 1
    return UUID(row["id"])


def run(statement: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]


def partition_of(decision: UUID) -> Any:
    return run("SELECT tableoid::regclass::text FROM guard_decision WHERE id = %s", decision)


def test_it_works(acme: Tenant) -> None:
    decision = GuardDecision.objects.get(pk=a_decision(acme, surrogate="eu_ada"))
    assert (decision.tenant_id, decision.guard, decision.rule) == (acme.pk, "secrets", "jwt")
    assert decision.get_action_display() == "redact"
    assert str(decision) == "secrets jwt"


def test_they_lie_in_the_partition_of_their_month(acme: Tenant) -> None:
    first, second = a_decision(acme, LONG_AGO), a_decision(acme, LATER)
    assert run("SELECT make_guard_decision_partition(%s)", LONG_AGO.date()) is True
    assert run("SELECT make_guard_decision_partition(%s)", LONG_AGO.date()) is False
    assert partition_of(first) == "guard_decision_2022_01"
    assert partition_of(second) == "guard_decision_rest"
    assert partition_of(a_decision(acme, LONG_AGO)) == "guard_decision_2022_01"


def test_the_task_makes_what_is_needed_next() -> None:
    guard_decisions.make_partitions()
    assert guard_decisions.make_partitions() == 0
    assert run("SELECT to_regclass(%s) IS NOT NULL", f"guard_decision_{datetime.now(UTC):%Y_%m}")


@pytest.mark.parametrize(
    "fields",
    [{"action": 0}, {"action": 5}, {"direction": "sideways"}, {"count": 0}],
    ids=["off", "unknown", "direction", "none"],
)
def test_what_makes_no_sense_is_refused(acme: Tenant, fields: dict[str, Any]) -> None:
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        a_decision(acme, **fields)


class TestPurging:
    def test_what_is_due_goes_and_what_is_held_stays(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plans, "today", lambda: TODAY)
        a_hold(acme, scope="query", model="wanted", reason="a court case")
        a_decision(acme)
        kept = {a_decision(acme, model="wanted"), a_decision(acme, datetime(2023, 6, 14, tzinfo=UTC))}
        plan = plans.make(Scope(as_of=TODAY, tenant_id=acme.pk))
        (line,) = plan.of("guard_decision")
        assert (line.rows, line.held_rows) == (1, 1)
        row = purges.run(plan_hash=plans.make(Scope(as_of=TODAY)).hash, as_of=TODAY, by=THE_SYSTEM)
        assert row.removed["guard_decision"] == {str(acme.pk): 1}
        assert {each.pk for each in GuardDecision.objects.filter(tenant_id=acme.pk)} == kept

    def test_a_month_that_is_due_is_dropped_whole(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plans, "today", lambda: TODAY)
        run("SELECT make_guard_decision_partition(%s)", LONG_AGO.date())
        a_decision(acme)
        purges.run(plan_hash=plans.make(Scope(as_of=TODAY)).hash, as_of=TODAY, by=THE_SYSTEM)
        assert run("SELECT to_regclass('guard_decision_2022_01')") is None


class TestErasing:
    def test_a_person_is_severed_and_what_was_decided_stays(self, acme: Tenant) -> None:
        own, other = a_decision(acme, surrogate="eu_ada"), a_decision(acme, surrogate="eu_bob")
        person = Person(acme.pk, "eu_ada")
        (store,) = [each for each in stores() if each.name == "gateway.guarddecision"]
        assert store.export is not None
        assert [row["guard"] for row in store.export(person)] == ["secrets"]
        assert store.erase is not None
        assert (store.erase(person), store.erase(person)) == (1, 0)
        assert list(store.export(person)) == []
        assert GuardDecision.objects.get(pk=own).surrogate == ""
        assert GuardDecision.objects.get(pk=other).surrogate == "eu_bob"

    def test_a_tenant_that_leaves_takes_its_own_along(self, acme: Tenant) -> None:
        umbrella = a_tenant("umbrella")
        a_decision(acme)
        kept = a_decision(umbrella)
        assert guard_decisions.delete_of_tenant(tenant_id=acme.pk, by=THE_SYSTEM) == 1
        assert [each.pk for each in GuardDecision.objects.all()] == [kept]
