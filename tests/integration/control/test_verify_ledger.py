"""Meters are recomputed from what is on record; whatever differs is found, and nothing else is."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from billing import verification
from billing.actions import usage
from billing.verification import differences
from tests.factories import a_tenant
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


def test_a_record_that_moves_while_it_is_counted_raises_no_alarm(tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the ledger and the count in the main database the records move, and further ones come."""
    settle(admit(tenant, "budget/1/total"))
    held = admit(tenant, "budget/1/total")
    state = verification._state

    def look_and_move(*asked: object) -> object:
        seen = state(*asked)  # type: ignore[arg-type]
        settle(held)
        settle(admit(tenant, "budget/1/total"))
        usage.empty_outbox()
        return seen

    monkeypatch.setattr(verification, "_state", look_and_move)
    assert differences(tenant_id=tenant, checks=1) == []


def test_a_record_that_was_set_aside_counts(tenant: int) -> None:
    settle(admit(tenant, "budget/1/total"))
    query(
        "WITH gone AS (DELETE FROM usage_outbox WHERE record ->> 'tenant_id' = %s RETURNING seq, record) "
        "INSERT INTO usage_rejected (seq, record, error) SELECT seq, record, 'test' FROM gone",
        [str(tenant)],
    )
    assert differences(tenant_id=tenant) == []


def test_an_opening_balance_counts(tenant: int) -> None:
    query("SELECT opening_balance(%s, 'budget/1/total', 500, 'total', 'UTC')", [tenant])
    settle(admit(tenant, "budget/1/total"))
    assert differences(tenant_id=tenant) == []


def test_what_belongs_to_a_period_that_is_over_counts_no_more(tenant: int) -> None:
    settle(admit(tenant, "budget/1/day", period="day"))
    query("SELECT opening_balance(%s, 'budget/2/day', 500, 'day', 'UTC')", [tenant])
    left_over = admit(tenant, "budget/1/day", period="day")
    query(
        "UPDATE meter_entry SET period_start = period_start - interval '1 day' "
        "WHERE meter_id IN (SELECT id FROM meter WHERE tenant_id = %s)",
        [tenant],
    )
    query(
        "UPDATE meter SET period_start = period_start - interval '1 day', period_end = now() WHERE tenant_id = %s",
        [tenant],
    )
    query(
        "UPDATE usage_outbox SET record = jsonb_set(record, '{at}', to_jsonb(now() - interval '1 day')) "
        "WHERE record ->> 'tenant_id' = %s",
        [str(tenant)],
    )
    query("UPDATE hold SET marks = ARRAY[marks[1] - 86400000000] WHERE request_id = %s", [left_over])
    settle(admit(tenant, "budget/1/day", "budget/2/day", period="day"), cost=7)
    assert query("SELECT name, used, held FROM meter WHERE tenant_id = %s ORDER BY name", [tenant]) == [
        ("budget/1/day", 7, 0),
        ("budget/2/day", 7, 0),
    ]
    assert differences(tenant_id=tenant) == []
    settle(left_over)
    query(
        "UPDATE usage_outbox SET record = jsonb_set(record, '{at}', to_jsonb(now() - interval '1 day')) "
        "WHERE record ->> 'request_id' = %s",
        [left_over],
    )
    assert differences(tenant_id=tenant) == []


def test_a_changed_time_zone_begins_a_period_within_the_last_one(tenant: int) -> None:
    """What was charged to the old period after the new one's midnight stays the old one's."""
    settle(admit(tenant, "budget/1/day", period="day", zone="UTC"))
    query(
        "UPDATE meter SET period_start = period_start - interval '12 hours', period_end = clock_timestamp() "
        "WHERE tenant_id = %s",
        [tenant],
    )
    settle(admit(tenant, "budget/1/day", period="day", zone="UTC"), cost=7)
    assert query("SELECT used FROM meter WHERE tenant_id = %s", [tenant]) == [(7,)]
    assert differences(tenant_id=tenant) == []


def test_records_of_dropped_months_count(tenant: int) -> None:
    settle(admit(tenant, "budget/1/total"))
    ((meter_id,),) = query("SELECT id FROM meter WHERE tenant_id = %s", [tenant])
    query("UPDATE meter SET used = used + 11 WHERE id = %s", [meter_id])
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO billing_meterbalance VALUES (%s, '2025-02-01', 11)", [meter_id])
    assert differences(tenant_id=tenant) == []


ONE_MORE = "UPDATE meter SET used = used + 1 WHERE id = %(meter)s"
HELD_MORE = "UPDATE meter SET held = held + 1 WHERE id = %(meter)s"
NO_HOLD = "DELETE FROM hold WHERE request_id = %(held)s"
LOST = "DELETE FROM billing_usagerecord WHERE request_id = %(moved)s"
DOUBLE = (
    "INSERT INTO billing_usagerecord (request_id, at, tenant_id, outcome, cost_nano, charged) "
    "SELECT request_id, at + interval '1 microsecond', tenant_id, outcome, cost_nano, charged "
    "FROM billing_usagerecord WHERE request_id = %(moved)s"
)
FAULTS = {
    "a nano-dollar too much": (("ledger", ONE_MORE), ("used", 1)),
    "more held than there are holds": (("ledger", HELD_MORE), ("held", 1)),
    "a hold that is gone": (("ledger", NO_HOLD), ("held", 100)),
    "a usage record that is gone": (("default", LOST), ("used", 70)),
    "a usage record twice": (("default", DOUBLE), ("used", -70)),
}


@given(
    costs=st.lists(st.integers(1, 10**12), min_size=1, max_size=3),
    faults=st.lists(st.sampled_from(sorted(FAULTS)), unique=True, max_size=3),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_fault_is_found_and_nothing_else(databases: None, costs: list[int], faults: list[str]) -> None:
    assume(not {"a hold that is gone", "more held than there are holds"} <= set(faults))
    assume(not {"a usage record that is gone", "a usage record twice"} <= set(faults))
    tenant = a_tenant_id()
    for cost in costs:
        settle(admit(tenant, "budget/1/total", "budget/2/total", at_once=True), cost=cost)
    moved = admit(tenant, "budget/1/total")
    settle(moved, cost=70)
    usage.empty_outbox()
    values = {
        "moved": moved,
        "held": admit(tenant, "budget/1/total", cost=100),
        "meter": query("SELECT id FROM meter WHERE tenant_id = %s AND name = 'budget/1/total'", [tenant])[0][0],
    }
    expected: dict[str, int] = {}
    for fault in faults:
        (alias, statement), (quantity, difference) = FAULTS[fault]
        with connections[alias].cursor() as cursor:
            cursor.execute(statement, values)
        expected[quantity] = expected.get(quantity, 0) + difference
    found = differences(tenant_id=tenant)
    assert {each.quantity: each.difference for each in found} == {name: n for name, n in expected.items() if n}
    assert {each.meter for each in found} <= {"budget/1/total"}


def test_a_leaked_lease_is_found(tenant: int) -> None:
    admit(tenant, "budget/1/total", at_once=True)
    query("DELETE FROM hold WHERE tenant_id = %s", [tenant])
    found = {(each.meter, each.difference) for each in differences(tenant_id=tenant)}
    assert found == {("budget/1/total", 100), ("tenant/concurrency", 1)}


# --- the command -----------------------------------------------------------------------------------------------------


def verified(**options: object) -> tuple[int, str]:
    """The exit status and what was written."""
    out = StringIO()
    try:
        call_command("verify_ledger", stdout=out, **options)
    except SystemExit as exit_:
        return int(str(exit_.code)), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_that_all_agree() -> None:
    tenant = a_tenant()
    settle(admit(tenant.pk, "budget/1/total"))
    assert verified(tenant=tenant.slug) == (0, "All 1 meters agree with what is on record.\n")


def test_the_command_lists_what_differs() -> None:
    tenant = a_tenant()
    settle(admit(tenant.pk, "budget/1/total"))
    query("UPDATE meter SET used = used + 1000 WHERE tenant_id = %s", [tenant.pk])
    status, text = verified(tenant=tenant.slug)
    assert status == 1
    assert text.splitlines()[1].split() == [
        tenant.slug,
        "budget/1/total",
        "1970-01-01T00:00:00+00:00",
        "used",
        "1,070",
        "70",
        "1,000",
    ]
    status, text = verified(tenant=tenant.slug, json=True)
    assert status == 1
    assert json.loads(text)["differences"][0]["difference"] == 1000


def test_the_command_tells_a_ledger_that_cannot_be_read_from_one_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object) -> None:
        raise DatabaseError("connection refused")

    monkeypatch.setattr(verification, "_state", away)
    with pytest.raises(CommandError, match="connection refused") as error:
        verified()
    assert error.value.returncode == 2
    with pytest.raises(CommandError, match="no tenant") as error:
        verified(tenant="nobody")
    assert error.value.returncode == 2


def test_too_many_waiting_records_are_no_verdict(tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "APART_MOST", 1)
    admit(tenant, "budget/1/total")
    admit(tenant, "budget/1/total")
    with pytest.raises(verification.Unreadable, match="verify it when they have moved"):
        differences(tenant_id=tenant)


def test_progress_is_told_to_its_end(tenant: int) -> None:
    settle(admit(tenant, "budget/1/total"))
    usage.empty_outbox()
    told: list[tuple[int, int]] = []
    differences(tenant_id=tenant, progress=lambda done, of: told.append((done, of)))
    assert told
    assert told[-1][0] == told[-1][1] == len(told)
