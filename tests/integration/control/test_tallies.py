"""What happens too often to be recorded one by one: each minute's count becomes one event, and counts add up."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from billing.actions import usage
from compliance import networks, tasks
from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.contracts import ANONYMOUS, Actor, Target
from compliance.models import AuditEvent, AuditTally
from tests.factories.tallies import no_tallies

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

BEFORE_MIDNIGHT = datetime(2026, 3, 14, 23, 59, 59, 999999, tzinfo=UTC)
A_KEY = Actor(kind="key", id="7", request_id="r-1")


@pytest.fixture(autouse=True)
def _nothing_left_by_others(db: None) -> None:
    no_tallies()
    with connections["ledger"].cursor() as cursor:
        cursor.execute("DELETE FROM usage_outbox")


def a_refusal(**fields: Any) -> Occurrence:
    values: dict[str, Any] = {
        "action": "request.refused",
        "by": A_KEY,
        "target": Target("apikey", "7"),
        "tenant_id": 1,
        "outcome": "refused",
        "reason": "model_not_found",
        "place": "/api",
        "at": BEFORE_MIDNIGHT,
    }
    return Occurrence(**{**values, **fields})


def a_note(**fields: Any) -> None:
    """A refusal on its way from the gateway."""
    record = {
        "request_id": str(uuid.uuid4()),
        "at": BEFORE_MIDNIGHT.isoformat(),
        "tenant_id": 1,
        "api_key_id": 7,
        "outcome": "refused",
        "code": "rate_limit_exceeded",
        "status": 429,
        **fields,
    }
    with connections["ledger"].cursor() as cursor:
        cursor.execute("INSERT INTO usage_outbox (record) VALUES (%s)", [json.dumps(record)])


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action__in=("request.refused", "user.sign_in_failed")).order_by("id"))


def test_it_works() -> None:
    tallies.count(occurrences=[a_refusal(), a_refusal(count=4)])
    assert tasks.put_counts_on_record() == 1
    (event,) = events()
    assert (event.actor_kind, event.actor_id, event.target_kind, event.target_id) == ("key", "7", "apikey", "7")
    assert (event.tenant_id, event.outcome, event.reason, event.request_id) == (1, "refused", "model_not_found", "r-1")
    assert event.after == {"minute": "2026-03-14T23:59Z", "count": 5, "place": "/api"}
    assert tasks.put_counts_on_record() == 0


def test_a_minute_that_is_not_over_waits() -> None:
    tallies.count(occurrences=[a_refusal(at=None)])
    assert tallies.put_on_record() == 0
    assert AuditTally.objects.get().minute > timezone.now() - timedelta(minutes=2)


def test_each_minute_reason_key_and_place_has_its_own() -> None:
    after_midnight = BEFORE_MIDNIGHT + timedelta(microseconds=1)
    others: list[dict[str, Any]] = [
        {"at": after_midnight},
        {"reason": "other"},
        {"target": Target("apikey", "8")},
        {"place": "/v1"},
    ]
    tallies.count(occurrences=[a_refusal(), *(a_refusal(**other) for other in others)])
    assert tallies.put_on_record() == 5
    assert {event.after["minute"] for event in events()} == {"2026-03-14T23:59Z", "2026-03-15T00:00Z"}


def test_what_comes_late_is_a_further_event_and_counts_add_up() -> None:
    for times in (3, 4):
        tallies.count(occurrences=[a_refusal(count=times)])
        tallies.put_on_record()
    assert [event.after["count"] for event in events()] == [3, 4]


def test_up_to_ten_are_named_of_what_varies() -> None:
    for n in range(12):
        tallies.count(occurrences=[a_refusal(seen=f"192.0.2.{n}"), a_refusal(seen="192.0.2.0")])
    tallies.put_on_record()
    (event,) = events()
    assert event.after["count"] == 24
    assert len(event.after["seen"]) == len(set(event.after["seen"])) == 10


def test_further_networks_of_a_minute_count_together() -> None:
    for n in range(tallies.MOST_NETWORKS + 5):
        target = networks.target_of(f"198.51.100.{n}")
        tallies.count(occurrences=[a_refusal(by=ANONYMOUS, tenant_id=None, target=target)])
    tallies.count(occurrences=[a_refusal(by=ANONYMOUS, tenant_id=None, target=networks.target_of("198.51.100.0"))])
    assert tallies.put_on_record() == tallies.MOST_NETWORKS + 1
    counts = {event.target_id: event.after["count"] for event in events()}
    assert (counts["others"], counts["198.51.100.0"], sum(counts.values())) == (5, 2, tallies.MOST_NETWORKS + 6)


def test_many_are_written_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "SLICE", 2)
    tallies.count(occurrences=[a_refusal(target=Target("apikey", str(n))) for n in range(5)])
    assert tallies.put_on_record() == 5


# --- refusals of the data plane, which come with usage records ----------------------------------------------------


def test_refusals_that_the_gateway_counted_are_on_record() -> None:
    a_note(requests=3)
    a_note(requests=2)
    a_note(code="insufficient_quota")
    a_note(outcome="completed", code="")
    usage.empty_outbox()
    tallies.put_on_record()
    assert {event.reason: event.after["count"] for event in events()} == {
        "rate_limit_exceeded": 5,
        "insufficient_quota": 1,
    }
    assert {event.after["place"] for event in events()} == {"/v1"}


def test_refusals_of_one_minute_that_are_moved_one_after_the_other_add_up() -> None:
    for requests in (3, 2):
        a_note(requests=requests)
        usage.empty_outbox()
    tallies.put_on_record()
    assert [event.after["count"] for event in events()] == [5]


def test_a_record_that_was_moved_before_is_not_counted_again() -> None:
    request_id = str(uuid.uuid4())
    for _ in range(2):
        a_note(request_id=request_id, requests=3)
        usage.empty_outbox()
    tallies.put_on_record()
    assert [event.after["count"] for event in events()] == [3]


def test_records_of_the_demo_are_no_refusals() -> None:
    record = {"request_id": uuid.uuid4(), "at": BEFORE_MIDNIGHT, "tenant_id": 1, "api_key_id": 7, "outcome": "refused"}
    usage.insert_records(records=[record])
    assert not AuditTally.objects.exists()


# --- failures -----------------------------------------------------------------------------------------------------


def test_when_an_event_cannot_be_written_the_count_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    tallies.count(occurrences=[a_refusal()])

    def full(**_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("compliance.audit.record", full)
        with pytest.raises(OSError, match="disk full"):
            tallies.put_on_record()
    assert AuditTally.objects.get().count == 1
    assert tallies.put_on_record() == 1


# --- nobody else ---------------------------------------------------------------------------------------------------


CHANGES = (
    "DELETE FROM compliance_audittally",
    "UPDATE compliance_audittally SET count = 1",
    "UPDATE compliance_audittally SET reason = 'other'",
    "TRUNCATE compliance_audittally",
)


def changed(change: str, *, purpose: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('portcullis.audit', %s, true)", [purpose])
        cursor.execute(change)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_counted_goes_only_as_it_becomes_an_event(change: str) -> None:
    tallies.count(occurrences=[a_refusal(count=30)])
    for purpose in ("", "prune"):
        with pytest.raises(DatabaseError, match="the audit log only grows"):
            changed(change, purpose=purpose)
    assert tallies.put_on_record() == 1
    assert [event.after["count"] for event in events()] == [30]


def test_the_writer_itself_takes_nothing_back() -> None:
    tallies.count(occurrences=[a_refusal(count=30, seen="192.0.2.1")])
    for change in ("count = 29", "seen = '{}'", "minute = minute + interval '1 year'"):
        with pytest.raises(DatabaseError, match="the audit log only grows"):
            changed(f"UPDATE compliance_audittally SET {change}", purpose="count")
