"""Meters are recomputed from what is on record; whatever differs is found, and nothing else is."""

import pytest

from billing.actions import usage
from billing.verification import differences
from tests.factories.ledger import a_tenant_id, admit, query, settle

pytestmark = pytest.mark.usefixtures("databases")


@pytest.fixture
def tenant() -> int:
    return a_tenant_id()


def test_it_works(tenant: int) -> None:
    settle(admit(tenant, "budget/1/total", "budget/2/total", at_once=True), cost=70)
    admit(tenant, "budget/1/total", at_once=True)
    assert differences(tenant_id=tenant) == []
    usage.empty_outbox()
    assert differences(tenant_id=tenant) == []
    query("UPDATE meter SET used = used + 1 WHERE tenant_id = %s AND name = 'budget/2/total'", [tenant])
    (found,) = differences(tenant_id=tenant)
    assert (found.tenant_id, found.meter, found.quantity) == (tenant, "budget/2/total", "used")
    assert (found.recorded, found.recomputed, found.difference) == (71, 70, 1)


def test_a_record_in_both_databases_counts_once(tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(admit(tenant, "budget/1/total"))
    with monkeypatch.context() as patch:
        patch.setattr(usage, "_delete", lambda seqs: None)
        usage.move_usage()
    assert differences(tenant_id=tenant) == []
    usage.empty_outbox()
    assert differences(tenant_id=tenant) == []
