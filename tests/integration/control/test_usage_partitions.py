"""Monthly partitions of the usage table."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection

from billing import partitions
from billing.actions import usage


@pytest.mark.django_db
def test_a_partition_is_made_once() -> None:
    months = {date(2031, 5, 3), date(2031, 5, 30)}
    assert partitions.ensure(months) == ["billing_usagerecord_2031_05"]
    assert partitions.ensure(months) == []


@pytest.mark.django_db
def test_a_partition_takes_the_whole_month_by_utc() -> None:
    partitions.ensure({date(2031, 5, 1)})
    for at in (datetime(2031, 5, 1, tzinfo=UTC), datetime(2031, 5, 31, 23, 59, 59, 999999, tzinfo=UTC)):
        assert _partition_of(at) == "billing_usagerecord_2031_05"


@pytest.mark.django_db
def test_partitions_are_made_for_this_month_and_three_more() -> None:
    usage.make_partitions()
    expected = partitions.ahead(today=datetime.now(UTC).date(), count=3)
    assert {partitions.partition_name(month) for month in expected} <= _partitions()
    assert usage.make_partitions() == []


def _partition_of(at: datetime) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_usagerecord (request_id, at, tenant_id, outcome)"
            " VALUES (gen_random_uuid(), %s, 1, 'completed') RETURNING tableoid::regclass::text",
            [at],
        )
        return str(cursor.fetchone()[0])


def _partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", ["billing_usagerecord"]
        )
        return {name for (name,) in cursor.fetchall()}
