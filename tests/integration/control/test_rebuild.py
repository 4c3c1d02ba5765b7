"""Rollups that are counted anew, and synthetic usage."""

import io
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from accounts.models import ApiKey, Tenant
from billing import reports
from billing.actions import rollups, usage
from billing.models import UsageDay, UsageHour, UsageLatency, UsageRecord, UsageValue
from billing.reports import Dimension, Query
from billing.uncounted import span as uncounted_span
from compliance.management.progress import Bar
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_key, a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

TABLES = (UsageHour, UsageDay, UsageValue, UsageLatency)
START, END = date(2024, 2, 27), date(2024, 3, 3)


@pytest.fixture
def key(db: None) -> ApiKey:
    """Of a tenant whose days begin half an hour past those of UTC, with usage around a leap day."""
    key = a_key(tenant=a_tenant(time_zone="Asia/Kolkata"))[0]
    for hour in range(0, 100, 7):
        at = datetime(2024, 2, 27, tzinfo=UTC) + hour * timedelta(hours=1, minutes=1)
        used(key, at=at, cost_nano=hour, end_user=f"eu_{hour % 3}", tags={"feature": "chat"}, latency_ms=hour * 10)
    return key


def test_it_works(key: ApiKey) -> None:
    before = stored(key)
    assert all(before)
    for table in TABLES:
        table.objects.filter(tenant_id=key.tenant_id).delete()
    told: list[tuple[date, int]] = []
    counted = rollups.rebuild(start=START, end=END, by=THE_SYSTEM, progress=lambda *done: told.append(done))
    assert stored(key) == before
    assert [day.day for day, _ in told] == [27, 28, 29, 1, 2]
    assert sum(records for _, records in told) == counted >= 15


def test_what_is_right_stays_as_it_is(key: ApiKey) -> None:
    before = stored(key)
    rollups.rebuild(start=START, end=END, by=THE_SYSTEM)
    assert stored(key) == before


def test_what_was_counted_wrongly_is_mended(key: ApiKey) -> None:
    before = stored(key)
    UsageDay.objects.filter(tenant_id=key.tenant_id).update(cost_nano=1)
    UsageHour.objects.filter(tenant_id=key.tenant_id).update(requests=9)
    UsageValue.objects.filter(tenant_id=key.tenant_id, kind="tag").update(value="gone")
    UsageLatency.objects.filter(tenant_id=key.tenant_id, day=date(2024, 2, 28)).delete()
    rollups.rebuild(start=START, end=END, by=THE_SYSTEM)
    assert stored(key) == before


def test_a_new_zone_holds_from_a_rebuild_on(key: ApiKey) -> None:
    Tenant.objects.filter(pk=key.tenant_id).update(time_zone="Asia/Kathmandu")
    used(key, at=datetime(2024, 2, 28, 18, 20, tzinfo=UTC), cost_nano=1000, end_user="eu_new")
    rollups.rebuild(start=START, end=END, by=THE_SYSTEM)
    query = Query(start=date(2024, 2, 29), end=date(2024, 3, 1), tenant_id=key.tenant_id, by=Dimension.END_USER)
    assert reports.report(query).lines[0].key == "eu_new"


def test_days_beside_the_span_are_left_alone(key: ApiKey) -> None:
    UsageDay.objects.filter(tenant_id=key.tenant_id).update(cost_nano=1)
    rollups.rebuild(start=date(2024, 2, 28), end=date(2024, 2, 29), by=THE_SYSTEM)
    costs = dict(UsageDay.objects.filter(tenant_id=key.tenant_id).values_list("day", "cost_nano"))
    assert {day.day for day, cost in costs.items() if cost != 1} == {28}


def test_the_command_tells_how_far_it_is(key: ApiKey) -> None:
    out = io.StringIO()
    call_command("rebuild_rollups", "--from", "2024-02-27", "--to", "2024-02-29", stdout=out)
    assert "records anew" in out.getvalue()
    assert "3 of 3 days" in out.getvalue()
    event = AuditEvent.objects.filter(action="rollups.rebuilt").latest("pk")
    assert (event.actor_kind, event.after["start"], event.after["end"]) == ("command", "2024-02-27", "2024-03-01")


def test_the_command_refuses_a_span_that_ends_before_it_begins() -> None:
    with pytest.raises(CommandError, match="before the first"):
        call_command("rebuild_rollups", "--from", "2024-02-27", "--to", "2024-02-26")


# --- usage of a version without rollups --------------------------------------------------------------------------


@pytest.fixture
def uncounted(key: ApiKey) -> list[list[Any]]:
    """Four days of usage, of which only the last hour has been counted; what should have been."""
    UsageRecord.objects.exclude(tenant_id=key.tenant_id).delete()
    counted = stored(key)
    last = UsageRecord.objects.latest("at").at
    UsageHour.objects.filter(hour__lt=last - timedelta(hours=1)).delete()
    for table in (UsageDay, UsageValue, UsageLatency):
        table.objects.filter(day__lt=last.date()).delete()
    UsageDay.objects.filter(tenant_id=key.tenant_id).update(requests=1)
    UsageHour.objects.exclude(tenant_id=key.tenant_id).delete()
    return counted


def test_a_migration_counts_usage_that_never_was(key: ApiKey, uncounted: list[list[Any]]) -> None:
    out = io.StringIO()
    call_command("migrate", verbosity=0, stdout=out)
    assert stored(key) == uncounted
    assert "6 of 6 days" in out.getvalue()
    assert AuditEvent.objects.filter(action="rollups.rebuilt").latest("pk").actor_id == "migrate"


def test_the_next_migration_has_nothing_to_count(key: ApiKey, uncounted: list[list[Any]]) -> None:
    call_command("migrate", verbosity=0, stdout=io.StringIO())
    UsageDay.objects.filter(tenant_id=key.tenant_id).update(cost_nano=1)
    out = io.StringIO()
    call_command("migrate", verbosity=0, stdout=out)
    assert out.getvalue() == ""
    assert set(UsageDay.objects.filter(tenant_id=key.tenant_id).values_list("cost_nano", flat=True)) == {1}


def test_a_count_that_was_interrupted_goes_on_where_it_was(key: ApiKey, uncounted: list[list[Any]]) -> None:
    def interrupt(day: date, records: int) -> None:
        if day.day == 29:
            raise KeyboardInterrupt

    start, end = uncounted_span() or (START, START)
    with pytest.raises(KeyboardInterrupt):
        rollups.rebuild(start=start, end=end, by=THE_SYSTEM, newest_first=True, progress=interrupt)
    assert uncounted_span() == (date(2024, 2, 27), date(2024, 3, 2))
    call_command("migrate", verbosity=0, stdout=io.StringIO())
    assert stored(key) == uncounted


@pytest.mark.usefixtures("uncounted")
def test_a_migration_that_only_plans_counts_nothing() -> None:
    call_command("migrate", "--plan", verbosity=0, stdout=io.StringIO())
    assert uncounted_span() is not None


# --- synthetic usage ---------------------------------------------------------------------------------------------


@pytest.fixture
def without_usage(db: None) -> None:
    """Out of sight, within the test's own transaction, is what other tests have left."""
    UsageRecord.objects.all().delete()


@pytest.mark.usefixtures("without_usage")
def test_seeded_usage_is_counted() -> None:
    api_key = a_key()[0]
    out = io.StringIO()
    call_command("seed_usage", "--rows", "500", "--days", "3", stdout=out)
    assert "Added 500 records." in out.getvalue()
    assert "500 of 500 records" in out.getvalue()
    records = UsageRecord.objects.all()
    assert records.count() == 500
    assert len({record.at.date() for record in records}) == 3
    own = [record for record in records if record.tenant_id == api_key.tenant_id]
    today = datetime.now(UTC).date()
    query = Query(start=today - timedelta(days=3), end=today + timedelta(days=1), tenant_id=api_key.tenant_id)
    assert reports.report(query).total.cost_nano == sum(record.cost_nano for record in own)
    call_command("seed_usage", "--rows", "10", "--days", "3", stdout=out)  # not real either: no refusal
    assert UsageRecord.objects.count() == 510


@pytest.mark.usefixtures("without_usage")
def test_real_usage_is_not_mixed_with_unless_asked_to() -> None:
    used(a_key()[0])
    with pytest.raises(CommandError, match="real usage"):
        call_command("seed_usage", "--rows", "5")
    call_command("seed_usage", "--rows", "5", "--days", "1", "--yes", stdout=io.StringIO())
    assert UsageRecord.objects.count() == 6


@pytest.mark.usefixtures("without_usage")
def test_without_keys_there_is_nobody_to_use_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiKey, "objects", ApiKey.objects.none())
    with pytest.raises(CommandError, match="no key"):
        call_command("seed_usage", "--rows", "5")


@pytest.mark.parametrize("options", [("--rows", "0"), ("--days", "0"), ("--days", "99999")], ids=" ".join)
def test_nonsense_is_refused(options: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match="at least one row"):
        call_command("seed_usage", *options)


def test_a_bar_says_how_fast_it_goes_and_how_long_it_takes() -> None:
    bar = Bar(OutputWrapper(io.StringIO()), total=1000, unit="records")
    text = bar.text(250, seconds=5)
    assert text.count("█") == 7
    assert text.endswith("250 of 1,000 records · 50/s · 0:15 left")
    assert bar.text(0, seconds=0).endswith("0 of 1,000 records · 0/s · 0:00 left")


def used(key: ApiKey, **fields: Any) -> None:
    values = {
        "request_id": uuid.uuid4(),
        "at": datetime(2024, 2, 29, 12, tzinfo=UTC),
        "tenant_id": key.tenant_id,
        "application_id": key.application_id,
        "api_key_id": key.pk,
        "environment": key.environment,
        "model": "gpt-test",
        "outcome": "completed",
    }
    usage.insert_records(records=[{**values, **fields}])


def stored(key: ApiKey) -> list[list[Any]]:
    return [list(table.objects.filter(tenant_id=key.tenant_id).order_by("pk").values_list()) for table in TABLES]
