"""Two movers at once: rows that both see, so nothing here is rolled back."""

import json
import random
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections, transaction

from billing import rolling_up
from billing.actions import usage
from billing.models import UsageDay, UsageHour, UsageRecord, UsageValue

pytestmark = pytest.mark.usefixtures("databases")


@pytest.fixture
def tenant_id() -> int:
    return random.randrange(2**40, 2**41)


def test_each_record_is_carried_once(tenant_id: int) -> None:
    notes(tenant_id, count=200)
    start = threading.Barrier(2)

    def move() -> None:
        start.wait(timeout=30)
        while waiting(tenant_id):
            usage.move_usage(most=7)
        connections.close_all()

    movers = [threading.Thread(target=move) for _ in range(2)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    assert UsageRecord.objects.filter(tenant_id=tenant_id).count() == 200
    for table in (UsageDay, UsageHour, UsageValue):
        rows = table.objects.filter(tenant_id=tenant_id)
        assert [row.requests for row in rows] == [200]


def test_two_that_add_to_the_same_lines_at_once_do_not_lock_each_other_out(
    tenant_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without turns: lines are locked in one order, whatever the order of the records."""
    monkeypatch.setattr(rolling_up, "await_turn", lambda: None)
    start, failures = threading.Barrier(2), list[Exception]()

    def add(models: list[str]) -> None:
        try:
            for _ in range(20):
                start.wait(timeout=30)
                usage.insert_records(records=[a_record(tenant_id, model=model) for model in models])
        except Exception as error:
            failures.append(error)
            start.abort()
        finally:
            connections.close_all()

    models = [f"model-{n}" for n in range(40)]
    adders = [threading.Thread(target=add, args=[order]) for order in (models, models[::-1])]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    assert failures == []
    assert {row.requests for row in UsageDay.objects.filter(tenant_id=tenant_id)} == {40}


def test_one_waits_for_no_other(tenant_id: int) -> None:
    notes(tenant_id, count=1)
    holds_turn, may_end = threading.Event(), threading.Event()

    def hold_turn() -> None:
        with transaction.atomic():
            assert rolling_up.take_turn()
            holds_turn.set()
            may_end.wait(timeout=30)
        connections.close_all()

    other = threading.Thread(target=hold_turn)
    other.start()
    assert holds_turn.wait(timeout=30)
    try:
        assert usage.move_usage() == 0
    finally:
        may_end.set()
        other.join()
    usage.empty_outbox()
    assert UsageRecord.objects.filter(tenant_id=tenant_id).count() == 1


def notes(tenant_id: int, *, count: int) -> None:
    at = datetime(2026, 3, 14, 15, 9, tzinfo=UTC).isoformat()
    common = {"at": at, "tenant_id": tenant_id, "outcome": "completed"}
    records = [{**common, "request_id": str(uuid.uuid4())} for _ in range(count)]
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT note(%s)", [json.dumps(records)])


def a_record(tenant_id: int, **fields: Any) -> dict[str, Any]:
    values = {
        "at": datetime(2026, 3, 14, tzinfo=UTC),
        "tenant_id": tenant_id,
        "outcome": "completed",
        "request_id": uuid.uuid4(),
    }
    return {**values, **fields}


def waiting(tenant_id: int) -> bool:
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM usage_outbox WHERE record ->> 'tenant_id' = %s)", [str(tenant_id)])
        return bool(cursor.fetchone()[0])
