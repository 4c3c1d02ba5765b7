"""Two movers at once: rows that both see, so nothing here is rolled back."""

import json
import random
import threading
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connections, transaction

from billing import rolling_up
from billing.actions import usage
from billing.models import UsageRecord

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
    at = datetime.now(UTC).isoformat()
    common = {"at": at, "tenant_id": tenant_id, "outcome": "completed"}
    records = [{**common, "request_id": str(uuid.uuid4())} for _ in range(count)]
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT note(%s)", [json.dumps(records)])


def waiting(tenant_id: int) -> bool:
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM usage_outbox WHERE record ->> 'tenant_id' = %s)", [str(tenant_id)])
        return bool(cursor.fetchone()[0])
