"""Old usage records are dropped by the month; what they add up to stays."""

import threading
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, connections, transaction
from django.db.models import Sum
from django.utils import timezone

from billing import kept_usage, partitions, tasks
from billing.actions import retention, rollups, usage
from billing.models import DroppedMonth, MeterBalance, UsageDay, UsageRecord, UsageValue
from compliance.models import AuditEvent
from compliance.purgers import Scope
from tests.factories import THE_SYSTEM

TODAY = datetime(2023, 6, 15, tzinfo=UTC)
OLD, KEPT = datetime(2023, 3, 31, 23, 59, 59, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC)


@pytest.fixture
def two_months_kept(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.USAGE_MONTHS_KEPT = 2
    monkeypatch.setattr(timezone, "now", lambda: TODAY)


@pytest.fixture
def tenant_id(db: None) -> int:
    return 10**13


@pytest.mark.usefixtures("two_months_kept")
@pytest.mark.django_db
class TestRetention:
    def test_it_works(self, tenant_id: int) -> None:
        insert(tenant_id, OLD, charged=[1, 2], cost_nano=5)
        insert(tenant_id, OLD, charged=[2], cost_nano=3)
        insert(tenant_id, KEPT, charged=[1], cost_nano=7)
        assert tasks.drop_old_usage() == 1
        assert [record.cost_nano for record in UsageRecord.objects.filter(tenant_id=tenant_id)] == [7]
        balances = {(row.meter_id, row.before): row.cost_nano for row in MeterBalance.objects.all()}
        assert balances == {(1, date(2023, 4, 1)): 5, (2, date(2023, 4, 1)): 8}
        assert partitions.detached() == []
        assert not exists("billing_usagerecord_2023_03")

    def test_rollups_stay(self, tenant_id: int) -> None:
        insert(tenant_id, OLD, cost_nano=5)
        retention.drop_old_usage(by=THE_SYSTEM)
        assert UsageDay.objects.get(tenant_id=tenant_id).cost_nano == 5
        rollups.rebuild(start=date(2023, 3, 30), end=date(2023, 4, 3), by=THE_SYSTEM)
        assert UsageDay.objects.get(tenant_id=tenant_id).cost_nano == 5
        assert UsageValue.objects.get(tenant_id=tenant_id).cost_nano == 5

    def test_it_says_what_it_dropped(self, tenant_id: int) -> None:
        insert(tenant_id, OLD, cost_nano=5, requests=4)
        retention.drop_old_usage(by=THE_SYSTEM)
        event = AuditEvent.objects.get(action="usage.dropped")
        assert (event.target_id, event.after["requests"], event.after["cost_nano"]) == ("2023-03", 4, 5)
        assert DroppedMonth.objects.get().month == date(2023, 3, 1)

    def test_what_comes_late_is_dropped_the_next_time_and_added(self, tenant_id: int) -> None:
        for cost_nano in (5, 6):
            insert(tenant_id, OLD, charged=[1], cost_nano=cost_nano)
            assert retention.drop_old_usage(by=THE_SYSTEM) == ["billing_usagerecord_2023_03_detached"]
        assert MeterBalance.objects.get().cost_nano == 11
        assert DroppedMonth.objects.get().requests == 2
        assert UsageDay.objects.get(tenant_id=tenant_id).cost_nano == 11

    def test_a_crash_in_between_leaves_no_table_behind(self, tenant_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
        insert(tenant_id, OLD, charged=[1], cost_nano=5)

        def crash(_name: str) -> None:
            raise RuntimeError("power cut")

        with monkeypatch.context() as patch:
            patch.setattr(partitions, "drop", crash)
            with pytest.raises(RuntimeError):
                retention.drop_old_usage(by=THE_SYSTEM)
        insert(tenant_id, OLD, charged=[1], cost_nano=6)  # finds room for a partition of its own
        assert len(retention.drop_old_usage(by=THE_SYSTEM)) == 2
        assert MeterBalance.objects.get().cost_nano == 11
        assert partitions.detached() == []

    def test_every_moment_the_sum_of_a_meter_is_whole(self, tenant_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
        insert(tenant_id, OLD, charged=[1], cost_nano=5)
        insert(tenant_id, KEPT, charged=[1], cost_nano=7)
        sums = [charged_to(1)]
        drop = partitions.drop

        def look(name: str) -> None:
            sums.append(charged_to(1))
            drop(name)

        monkeypatch.setattr(partitions, "drop", look)
        retention.drop_old_usage(by=THE_SYSTEM)
        assert [*sums, charged_to(1)] == [12, 12, 12]

    def test_for_ever_is_for_ever(self, tenant_id: int, settings: LazySettings) -> None:
        settings.USAGE_MONTHS_KEPT = 0
        insert(tenant_id, OLD)
        assert retention.drop_old_usage(by=THE_SYSTEM) == []
        assert UsageRecord.objects.filter(tenant_id=tenant_id).exists()


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        pytest.param(date(2024, 3, 31), 1, date(2024, 2, 1), id="into a short month"),
        pytest.param(date(2024, 3, 31), 3, date(2023, 12, 1), id="over the year's end"),
        pytest.param(date(2024, 12, 1), 25, date(2022, 11, 1), id="two years and a month"),
        pytest.param(date(2024, 12, 1), 0, date(2024, 12, 1), id="none"),
    ],
)
def test_months_are_counted_back(day: date, months: int, expected: date) -> None:
    assert partitions.back(day, months) == expected


@pytest.mark.usefixtures("databases", "two_months_kept")
def test_a_month_that_is_being_read_waits_for_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", "50ms")
    insert(10**13, OLD, charged=[10**13])
    reads, may_end = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic():
            UsageRecord.objects.filter(tenant_id=10**13).count()
            reads.set()
            may_end.wait(timeout=30)
        connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    assert reads.wait(timeout=30)
    try:
        assert retention.drop_old_usage(by=THE_SYSTEM) == []
        assert not MeterBalance.objects.filter(meter_id=10**13).exists()
        assert UsageRecord.objects.filter(tenant_id=10**13).exists()
    finally:
        may_end.set()
        reader.join()
    assert retention.drop_old_usage(by=THE_SYSTEM) == ["billing_usagerecord_2023_03_detached"]
    assert MeterBalance.objects.filter(meter_id=10**13).exists()


def insert(tenant_id: int, at: datetime, **fields: Any) -> None:
    values = {"request_id": uuid.uuid4(), "at": at, "tenant_id": tenant_id, "outcome": "completed", **fields}
    usage.insert_records(records=[values])


def charged_to(meter_id: int) -> int:
    """As the table's comment says that it is to be computed."""
    kept = MeterBalance.objects.filter(meter_id=meter_id).aggregate(sum=Sum("cost_nano"))["sum"] or 0
    there = UsageRecord.objects.filter(charged__contains=[meter_id]).aggregate(sum=Sum("cost_nano"))["sum"] or 0
    return int(kept + there)


def exists(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        return bool(cursor.fetchone()[0])


@pytest.mark.usefixtures("two_months_kept")
@pytest.mark.django_db
def test_the_preview_of_retention_tells_what_it_will_drop(tenant_id: int, settings: LazySettings) -> None:
    insert(tenant_id, OLD)
    scope = Scope(as_of=TODAY.date())
    told = "Months before 2023-04 are dropped, for all tenants (USAGE_MONTHS_KEPT = 2)"
    assert kept_usage.note(scope) == f"{told}: due: 2023-03."
    retention.drop_old_usage(by=THE_SYSTEM)
    assert kept_usage.note(scope) == f"{told}: none is due."
    settings.USAGE_MONTHS_KEPT = 0
    assert kept_usage.note(scope) == "Kept for ever: USAGE_MONTHS_KEPT is 0."
