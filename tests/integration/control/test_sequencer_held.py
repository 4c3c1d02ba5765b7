"""The sequencer when somebody is in its way: who holds its lock, and who writes events that it cannot take."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from billing.models import Alert
from compliance import audit_lag
from compliance.actions import audit_log
from compliance.errors import SequencerHeld
from compliance.models import AuditEvent, AuditLeaf, AuditPending, AuditTile
from compliance.tasks import look_at_audit_log
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.audit import events, sealed, tamper

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def is_open(kind: str, subject: str) -> bool:
    return Alert.objects.filter(kind=kind, subject=subject, cleared_at=None).exists()


def test_who_holds_the_lock_is_waited_for_and_then_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "TURN_MOST_S", 0.2)
    events(1)
    params = connection.get_connection_params()
    names = {"host", "port", "user", "password", "dbname"}
    with psycopg.connect(**{name: value for name, value in params.items() if name in names}) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('portcullis.audit', 0))")
        with pytest.raises(SequencerHeld, match="pg_locks"):
            audit_log.checkpoint(by=THE_SYSTEM)
        look_at_audit_log()
        assert is_open("audit_late", audit_log.HELD), "it is held still"
    assert audit_log.checkpoint(by=THE_SYSTEM)
    look_at_audit_log()
    assert not is_open("audit_late", audit_log.HELD)


def nested(depth: int) -> str:
    return '{"x": ' + "[" * depth + "]" * depth + "}"


UNREADABLE: tuple[tuple[str, Callable[[], str]], ...] = (
    ("after", lambda: nested(3_000)),
    ("occurred_at", lambda: "infinity"),
    ("salts", lambda: "short"),
)


@pytest.mark.parametrize(("column", "value"), UNREADABLE)
def test_an_event_that_cannot_be_taken_holds_no_other_up(column: str, value: Callable[[], str]) -> None:
    tenant = a_tenant()
    sealed(1, tenant=tenant)
    [bad] = events(1, tenant=tenant)
    others = [*events(2), *events(2, tenant=a_tenant(slug="umbrella"))]
    tamper(f"UPDATE compliance_auditevent SET {column} = %s WHERE id = %s", [value(), bad])
    audit_log.checkpoint(by=THE_SYSTEM)
    assert AuditLeaf.objects.filter(event_id__in=others).count() == len(others)
    assert list(AuditPending.objects.values_list("event_id", flat=True)) == [bad]
    look_at_audit_log()
    assert is_open("audit_tampered", f"event {bad}")
    tamper("DELETE FROM compliance_auditevent WHERE id = %s", [bad])
    tamper("DELETE FROM compliance_auditpending WHERE event_id = %s", [bad])
    look_at_audit_log()
    assert not is_open("audit_tampered", f"event {bad}"), "nothing waits any more"


def test_an_alarm_over_a_log_ends_when_its_hashes_are_back() -> None:
    tenant = a_tenant()
    log = sealed(3, tenant=tenant)
    tile = AuditTile.objects.get(log=log, level=0)
    hashes = bytes(tile.hashes)
    change = "UPDATE compliance_audittile SET hashes = %s WHERE id = %s"
    tamper(change, [b"x" * len(hashes), tile.pk])
    events(1, tenant=tenant)
    audit_log.checkpoint(by=THE_SYSTEM)
    look_at_audit_log()
    assert is_open("audit_tampered", f"log {log.pk}")
    tamper(change, [hashes, tile.pk])
    look_at_audit_log()
    assert not is_open("audit_tampered", f"log {log.pk}")
    assert audit_log.checkpoint(by=THE_SYSTEM)


def test_events_that_wait_for_long_are_told_until_they_have_their_places() -> None:
    numbers = events(3)
    look_at_audit_log()
    assert not is_open("audit_late", audit_log.LATE)
    long_ago = timezone.now() - 2 * audit_lag.LATE
    change = "UPDATE compliance_auditevent SET occurred_at = %s WHERE id = %s"
    tamper(change, [long_ago, numbers[2]])
    tamper(change, [timezone.now() + timedelta(days=9_999), numbers[0]])
    look_at_audit_log()
    assert is_open("audit_late", audit_log.LATE), "whatever time the first one says"
    assert f"{long_ago:%H:%M} UTC" in Alert.objects.get(kind="audit_late").label
    audit_log.checkpoint(by=THE_SYSTEM)
    look_at_audit_log()
    assert not is_open("audit_late", audit_log.LATE)
    assert AuditEvent.objects.filter(pk__in=numbers).count() == 3
