"""Usage records on their way from the ledger's outbox into the main database."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from billing import tasks
from billing.actions import usage
from billing.models import UsageRecord

pytestmark = [
    pytest.mark.django_db(databases=["default", "ledger", "keys"]),
    pytest.mark.usefixtures("nothing_to_move"),
]

AT = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)


@pytest.fixture
def nothing_to_move(db: None) -> None:
    """Out of sight, within the test's own transactions, is what other tests have left."""
    run("DELETE FROM usage_outbox")
    run("DELETE FROM usage_rejected")
    UsageRecord.objects.all().delete()


def test_it_works() -> None:
    a_note(tenant_id=7, model="sandbox-small", input_tokens=12, cost_nano=345, streamed=True)
    assert usage.empty_outbox() == 1
    moved = UsageRecord.objects.get()
    assert (moved.tenant_id, moved.model, moved.input_tokens, moved.cost_nano) == (7, "sandbox-small", 12, 345)
    assert moved.at == AT
    assert moved.streamed
    assert outbox() == []


def test_what_a_record_does_not_say_has_its_default() -> None:
    a_note()
    usage.move_usage()
    moved = UsageRecord.objects.get()
    assert (moved.requests, moved.model, moved.output_tokens, moved.estimated) == (1, "", 0, False)
    assert (moved.application_id, moved.status, moved.latency_ms) == (None, None, None)


def test_unknown_fields_and_too_long_names_do_no_harm() -> None:
    a_note(mood="sunny", model="m" * 5000, code="c" * 51)
    usage.move_usage()
    moved = UsageRecord.objects.get()
    assert (moved.model, moved.code) == ("m" * 200, "c" * 50)


def test_every_column_of_the_table_is_carried() -> None:
    assert {field.column for field in UsageRecord._meta.concrete_fields} <= set(usage.INSERT.replace(",", " ").split())


def test_records_of_any_month_find_their_partition() -> None:
    for month in (1, 7):
        a_note(at=datetime(2024, month, 1, tzinfo=UTC).isoformat())
    assert usage.move_usage() == 2
    assert UsageRecord.objects.count() == 2


def test_a_record_that_is_there_already_is_not_counted_twice() -> None:
    """As after a crash between the commit in the main database and the deletion from the outbox."""
    request_id = str(uuid.uuid4())
    a_note(request_id=request_id, cost_nano=5)
    a_note(request_id=request_id, cost_nano=5)
    usage.move_usage()
    a_note(request_id=request_id, cost_nano=5)
    usage.move_usage()
    assert UsageRecord.objects.count() == 1
    assert outbox() == []


def test_a_crash_before_the_deletion_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a_note()

    def crash(_seqs: list[int]) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(usage, "_delete", crash)
        with pytest.raises(RuntimeError):
            usage.move_usage()
    assert usage.move_usage() == 1
    assert UsageRecord.objects.count() == 1
    assert outbox() == []


def test_a_slice_takes_the_oldest() -> None:
    for tenant_id in (1, 2, 3):
        a_note(tenant_id=tenant_id)
    assert usage.move_usage(most=2) == 2
    assert [record["tenant_id"] for record in outbox()] == [3]


def test_the_outbox_is_emptied_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "SLICE", 2)
    for _ in range(5):
        a_note()
    assert tasks.move_usage() == 5
    assert UsageRecord.objects.count() == 5


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"cost_nano": "much"}, id="no number"),
        pytest.param({"cost_nano": -1}, id="a negative cost"),
        pytest.param({"cost_nano": 2**63}, id="a number too large"),
        pytest.param({"requests": 0}, id="no request at all"),
        pytest.param({"outcome": None}, id="no outcome"),
        pytest.param({"request_id": "7"}, id="no identifier"),
        pytest.param({"at": "yesterday"}, id="no time"),
        pytest.param({"at": None}, id="no time at all"),
        pytest.param({"at": "9999-12-31T23:59:59Z"}, id="a time far away"),
        pytest.param({"at": "infinity"}, id="a time without end"),
    ],
)
def test_a_poisonous_record_is_set_aside_and_the_others_pass(fields: dict[str, Any]) -> None:
    for tenant_id in range(1, 6):
        a_note(tenant_id=tenant_id, **(fields if tenant_id == 3 else {}))
    assert usage.move_usage() == 5
    assert set(UsageRecord.objects.values_list("tenant_id", flat=True)) == {1, 2, 4, 5}
    assert outbox() == []
    ((record, error),) = rejected()
    assert record["tenant_id"] == 3
    assert error
    assert "\n" not in error


def test_a_record_that_is_no_object_is_set_aside() -> None:
    run("INSERT INTO usage_outbox (record) VALUES ('[1, 2]'), ('null'), ('\"text\"')")
    a_note()
    usage.move_usage()
    assert UsageRecord.objects.count() == 1
    assert len(rejected()) == 3


def a_note(**fields: Any) -> None:
    """A record in the outbox, put there as the gateway does it."""
    record = {"request_id": str(uuid.uuid4()), "at": AT.isoformat(), "tenant_id": 1, "outcome": "completed", **fields}
    run("SELECT note(%s)", [json.dumps([record])])


def run(statement: str, values: list[Any] | None = None) -> None:
    with connections["ledger"].cursor() as cursor:
        cursor.execute(statement, values)


def outbox() -> list[Any]:
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT record FROM usage_outbox ORDER BY seq")
        return [parsed(record) for (record,) in cursor.fetchall()]


def rejected() -> list[tuple[Any, str]]:
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT record, error FROM usage_rejected ORDER BY seq")
        return [(parsed(record), error) for record, error in cursor.fetchall()]


def parsed(record: Any) -> Any:
    """Django's cursors hand out JSON as text."""
    return json.loads(record) if isinstance(record, str) else record
