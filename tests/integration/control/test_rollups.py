"""Rollups are what the records add up to: each record once, in the hours and days that it belongs to."""

import itertools
import json
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.actions import usage
from billing.latency import BOUNDS
from billing.models import UsageDay, UsageHour, UsageLatency, UsageRecord, UsageValue
from tests.factories import a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
SUMS = ("requests", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_tenant_id = itertools.count(10**12)
"""Of tenants that have no row; their days are those of UTC."""


def test_it_works() -> None:
    tenant_id = next(_tenant_id)
    insert(a_record(tenant_id, cost_nano=5, input_tokens=7), a_record(tenant_id, cost_nano=3, estimated=True))
    hour = UsageHour.objects.get(tenant_id=tenant_id)
    assert (hour.hour, hour.requests, hour.cost_nano, hour.estimated_nano) == (AT.replace(minute=0, second=0), 2, 8, 3)
    day = UsageDay.objects.get(tenant_id=tenant_id)
    assert (day.day, day.requests, day.input_tokens) == (AT.date(), 2, 7)


def test_a_record_that_is_there_already_is_not_counted_again() -> None:
    tenant_id = next(_tenant_id)
    first, second = a_record(tenant_id, cost_nano=5), a_record(tenant_id, cost_nano=2)
    insert(first)
    insert(first, second)
    insert(second)
    assert added_up(UsageDay, tenant_id, "requests", "cost_nano") == [2, 7]
    assert added_up(UsageHour, tenant_id, "requests", "cost_nano") == [2, 7]


def test_a_mover_that_dies_before_the_deletion_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant_id = next(_tenant_id)
    note(a_record(tenant_id, cost_nano=5))

    def crash(_seqs: list[int]) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(usage, "_delete", crash)
        with pytest.raises(RuntimeError):
            usage.move_usage()
    usage.empty_outbox()
    assert added_up(UsageDay, tenant_id, "requests", "cost_nano") == [1, 5]


def test_a_poisonous_record_is_in_no_sum_and_the_others_are() -> None:
    tenant_id = next(_tenant_id)
    note(a_record(tenant_id, cost_nano=5), a_record(tenant_id, cost_nano=-1), a_record(tenant_id, cost_nano=2))
    usage.empty_outbox()
    assert added_up(UsageDay, tenant_id, "requests", "cost_nano") == [2, 7]


@pytest.mark.parametrize(
    ("outcome", "refused", "failed"),
    [
        pytest.param("completed", 0, 0, id="completed"),
        pytest.param("client_left", 0, 0, id="client left"),
        pytest.param("refused", 3, 0, id="refused"),
        pytest.param("cut", 0, 3, id="cut"),
        pytest.param("upstream_error", 0, 3, id="upstream failed"),
        pytest.param("failed", 0, 3, id="failed here"),
        pytest.param("swept", 0, 3, id="swept"),
    ],
)
def test_outcomes_are_counted_by_requests(outcome: str, refused: int, failed: int) -> None:
    tenant_id = next(_tenant_id)
    insert(a_record(tenant_id, outcome=outcome, requests=3))
    assert added_up(UsageDay, tenant_id, "requests", "refused", "failed") == [3, refused, failed]


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.datetimes(datetime(2024, 2, 27), datetime(2024, 3, 2), timezones=st.just(UTC)),
            "application_id": st.sampled_from([None, 1, 2]),
            "api_key_id": st.sampled_from([None, 1, 2, 3]),
            "environment": st.sampled_from(["", "dev", "production"]),
            "model": st.sampled_from(["", "small", "large"]),
            "provider": st.sampled_from(["", "one", "two"]),
            "outcome": st.sampled_from(["completed", "refused", "cut", "swept"]),
            "code": st.sampled_from(["", "budget_exceeded"]),
            "requests": st.integers(1, 5),
            "input_tokens": st.integers(0, 10**6),
            "cached_input_tokens": st.integers(0, 10**6),
            "cache_write_tokens": st.integers(0, 10**6),
            "output_tokens": st.integers(0, 10**6),
            "reasoning_tokens": st.integers(0, 10**6),
            "cost_nano": st.integers(0, 10**12),
            "estimated": st.booleans(),
            "latency_ms": st.none() | st.integers(0, 10**6),
            "end_user": st.sampled_from(["", "eu_one", "eu_two"]),
            "tags": st.dictionaries(st.sampled_from(["feature", "team"]), st.sampled_from(["a", "b"])),
        }
    ),
    max_size=30,
)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati"])
@given(slices=st.lists(RECORDS, max_size=3))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rollups_are_what_the_records_add_up_to(zone: str, slices: list[list[dict[str, Any]]]) -> None:
    tenant = a_tenant(time_zone=zone)
    records = [[{**a_record(tenant.pk), **fields} for fields in part] for part in slices]
    for part in records:
        insert(*part)
    every = [record for part in records for record in part]
    by_day = Counter[Any]()
    by_own_day = Counter[Any]()
    for record in every:
        by_day[record["at"].date(), record["api_key_id"] or 0, record["model"]] += record["cost_nano"]
        by_own_day[record["at"].astimezone(ZoneInfo(zone)).date()] += record["cost_nano"]
    assert sums(UsageDay, tenant.pk, "day", "api_key_id", "model") == +by_day
    hours = UsageHour.objects.filter(tenant_id=tenant.pk)
    own_days = Counter[Any]()
    for hour, cost_nano in hours.values_list("hour", "cost_nano"):
        own_days[hour.astimezone(ZoneInfo(zone)).date()] += cost_nano
    assert own_days == by_own_day
    for name in SUMS:
        assert added_up(UsageHour, tenant.pk, name) == [sum(record[name] for record in every)]
        assert added_up(UsageDay, tenant.pk, name) == [sum(record[name] for record in every)]
    check_values(tenant.pk, zone, every)
    answered = sum(r["requests"] for r in every if r["outcome"] != "refused" and r["latency_ms"] is not None)
    assert added_up(UsageLatency, tenant.pk, "answered") == [answered]


def check_values(tenant_id: int, zone: str, records: Iterable[dict[str, Any]]) -> None:
    expected = Counter[Any]()
    for record in records:
        day = record["at"].astimezone(ZoneInfo(zone)).date()
        named = [("end_user", "", record["end_user"]), *(("tag", key, text) for key, text in record["tags"].items())]
        for kind, tag, value in named:
            expected[day, kind, tag, value] += record["cost_nano"]
    stored = sums(UsageValue, tenant_id, "day", "kind", "tag", "value")
    assert {key: cost for key, cost in stored.items() if key[1] != "code"} == +expected


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        pytest.param("2026-03-14T15:59:59Z", "UTC", "2026-03-14T15:00:00Z", id="an hour of UTC"),
        pytest.param("2026-03-14T15:59:59Z", "America/New_York", "2026-03-14T15:00:00Z", id="whole hours from UTC"),
        pytest.param("2026-03-14T15:59:59Z", "Asia/Kolkata", "2026-03-14T15:45:00Z", id="half an hour off"),
        pytest.param("2026-03-14T15:14:59Z", "Asia/Kathmandu", "2026-03-14T15:00:00Z", id="a quarter off"),
        pytest.param("2026-01-14T15:31:00Z", "Australia/Lord_Howe", "2026-01-14T15:00:00Z", id="in summer, +11"),
        pytest.param("2026-07-14T15:31:00Z", "Australia/Lord_Howe", "2026-07-14T15:30:00Z", id="in winter, +10:30"),
    ],
)
def test_hours_are_quarters_where_days_begin_within_them(at: str, zone: str, expected: str) -> None:
    tenant = a_tenant(time_zone=zone)
    insert(a_record(tenant.pk, at=datetime.fromisoformat(at)))
    assert UsageHour.objects.get(tenant_id=tenant.pk).hour == datetime.fromisoformat(expected)


def test_endless_values_of_a_day_end_in_one_line() -> None:
    tenant_id = next(_tenant_id)
    insert(*(a_record(tenant_id, end_user=f"eu_{n}", cost_nano=2000 - n) for n in range(600)))
    insert(*(a_record(tenant_id, end_user=f"eu_{n}", cost_nano=2000 - n) for n in range(600, 1300)))
    insert(a_record(tenant_id, end_user="eu_7", cost_nano=5), a_record(tenant_id, end_user="eu_1299", cost_nano=5))
    lines = dict(UsageValue.objects.filter(tenant_id=tenant_id).values_list("value", "cost_nano"))
    assert len(lines) == 1001
    assert lines["eu_7"] == 1993 + 5
    assert "eu_999" in lines
    assert lines["(others)"] == sum(2000 - n for n in range(1000, 1300)) + 5
    assert UsageRecord.objects.filter(tenant_id=tenant_id, end_user="eu_1299").count() == 2


def test_the_next_day_and_other_tags_have_room_again() -> None:
    tenant_id = next(_tenant_id)
    insert(*(a_record(tenant_id, tags={"feature": f"f{n}"}) for n in range(1001)))
    insert(a_record(tenant_id, tags={"feature": "late", "team": "late"}))
    insert(a_record(tenant_id, tags={"feature": "late"}, at=AT + timedelta(days=1)))
    late = UsageValue.objects.filter(tenant_id=tenant_id, value="late").values_list("tag", "day")
    assert set(late) == {("team", AT.date()), ("feature", AT.date() + timedelta(days=1))}


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param(["a"], id="a list"),
        pytest.param("a", id="a text"),
        pytest.param({"feature": None}, id="no value"),
    ],
)
def test_tags_of_a_strange_form_do_no_harm(tags: Any) -> None:
    tenant_id = next(_tenant_id)
    insert(a_record(tenant_id, tags=tags))
    assert added_up(UsageDay, tenant_id, "requests") == [1]
    assert not UsageValue.objects.filter(tenant_id=tenant_id, kind="tag").exists()


def test_a_tag_that_is_no_text_counts_as_it_is_written() -> None:
    tenant_id = next(_tenant_id)
    insert(a_record(tenant_id, tags={"feature": 7, "team": "x" * 100}))
    values = UsageValue.objects.filter(tenant_id=tenant_id, kind="tag").values_list("tag", "value")
    assert dict(values) == {"feature": "7", "team": "x" * 64}


def test_the_database_counts_latencies_by_the_bounds_that_percentiles_are_read_by() -> None:
    edges = sorted({max(bound + step, 0) for bound in BOUNDS for step in (-1, 0)})
    with connection.cursor() as cursor:
        cursor.execute("SELECT ms, latency_bucket(ms) FROM unnest(%s::integer[]) AS ms", [edges])
        for ms, bucket in cursor.fetchall():
            assert BOUNDS[bucket] <= ms
            assert bucket + 1 == len(BOUNDS) or ms < BOUNDS[bucket + 1]


def a_record(tenant_id: int, **fields: Any) -> dict[str, Any]:
    values = {"request_id": uuid.uuid4(), "at": AT, "tenant_id": tenant_id, "outcome": "completed", "cost_nano": 1}
    return {**values, **fields}


def insert(*records: dict[str, Any]) -> None:
    usage.insert_records(records=records)


def note(*records: dict[str, Any]) -> None:
    """Into the outbox, as the gateway does it."""
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT note(%s)", [json.dumps(records, default=str)])


def added_up(table: Any, tenant_id: int, *columns: str) -> list[int]:
    row = table.objects.filter(tenant_id=tenant_id).aggregate(**{f"sum_{name}": Sum(name) for name in columns})
    return [int(row[f"sum_{name}"] or 0) for name in columns]


def sums(table: Any, tenant_id: int, *columns: str) -> Counter[Any]:
    """Cost by those columns, without what cost nothing."""
    rows = table.objects.filter(tenant_id=tenant_id).order_by().values_list(*columns)
    return +Counter({tuple(key): int(cost) for *key, cost in rows.annotate(sum_cost=Sum("cost_nano"))})


def test_days_of_the_table_are_those_of_utc() -> None:
    tenant = a_tenant(time_zone="Asia/Tokyo")
    insert(a_record(tenant.pk, at=datetime(2024, 2, 29, 23, 30, tzinfo=UTC)))
    assert UsageDay.objects.get(tenant_id=tenant.pk).day == date(2024, 2, 29)
    assert UsageValue.objects.get(tenant_id=tenant.pk, kind="end_user").day == date(2024, 3, 1)
