"""What happens by the clock, through the doors that Celery knocks at."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from billing import partitions, tasks
from billing.actions import ledger
from billing.models import UsageRecord

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def nothing_left_by_others(db: None) -> None:
    run("DELETE FROM hold")
    run("DELETE FROM usage_outbox")


def test_a_lost_request_is_charged_at_its_hold_and_its_record_moved() -> None:
    request_id = a_hold(expired=True, cost_nano=700)
    assert tasks.sweep_holds() == 1
    assert tasks.move_usage() == 1
    record = UsageRecord.objects.get(request_id=request_id)
    assert (record.outcome, record.cost_nano, record.estimated, record.model) == ("swept", 700, True, "sandbox-small")


def test_a_request_that_may_still_end_is_left_alone() -> None:
    a_hold(expired=False)
    assert tasks.sweep_holds() == 0


def test_a_sweep_goes_on_until_a_slice_is_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "SLICE", 2)
    for _ in range(5):
        a_hold(expired=True)
    assert tasks.sweep_holds() == 5


def test_partitions_are_ahead() -> None:
    tasks.make_partitions()
    latest = max(partitions.ahead(today=datetime.now(UTC).date(), count=3))
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [partitions.partition_name(latest)])
        assert cursor.fetchone() == (True,)


def a_hold(*, expired: bool, cost_nano: int = 1) -> uuid.UUID:
    request_id, now = uuid.uuid4(), datetime.now(UTC)
    expires_at = now + timedelta(minutes=-1 if expired else 10)
    context = json.dumps({"model": "sandbox-small"})
    run(
        "INSERT INTO hold (request_id, tenant_id, cost_nano, tokens, admitted_at, expires_at, meter_ids, kinds, marks,"
        " context) VALUES (%s, 1, %s, 0, %s, %s, '{}', '{}', '{}', %s)",
        str(request_id),
        cost_nano,
        (now - timedelta(hours=1)).isoformat(),
        expires_at.isoformat(),
        context,
    )
    return request_id


def run(statement: str, *values: str | int) -> None:
    with connections["ledger"].cursor() as cursor:
        cursor.execute(statement, values)
