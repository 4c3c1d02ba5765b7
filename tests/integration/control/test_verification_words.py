"""What events say of deletions, redactions and restores counts once they are sealed, and for what they name only."""

import json
import shutil
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError

from accounts.models import Tenant
from billing.models import Alert
from compliance import verification
from compliance.actions import audit_log
from compliance.actions import verification as actions
from compliance.actions.redactions import _salts_of
from compliance.errors import ActionRefused
from compliance.evidence import checking, leaves
from compliance.evidence.checking import Wanted
from compliance.evidence.findings import Finding
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditPending
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.audit import events, sealed, tamper

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

HIDDEN = """
INSERT INTO compliance_auditevent (id, occurred_at, tenant_id, actor_kind, actor_id, action, target_kind, target_id,
    outcome, reason, before, after, request_id, user_agent, version, salts, redacted, subjects)
VALUES (%s, %s, %s, 'system', 'purge', %s, 'auditlog', '1', 'success', '', '{}', %s, '', '', 2, '', '{}', '{}')
"""
IN_FUTURE = "9999-01-01"
OF = "(SELECT event_id FROM compliance_auditleaf WHERE log_id = %(log)s AND index >= %(from)s AND index < %(to)s)"


def found() -> list[Finding]:
    return checking.check(Wanted()).in_order()


def texts() -> str:
    return " ".join(each.text for each in found())


@pytest.fixture
def log() -> AuditLog:
    """In three checkpoints."""
    tenant = a_tenant()
    sealed(20, tenant=tenant)
    sealed(20, tenant=tenant)
    return sealed(20, tenant=tenant)


def hidden(number: int, action: str, after: Any, tenant_id: int | None, *, at: str = IN_FUTURE) -> None:
    """An event that waits for its place, written past the application."""
    for table in ("auditevent", "auditpending"):
        tamper(f"ALTER TABLE compliance_{table} DROP CONSTRAINT IF EXISTS audit_{table[5:]}_numbered")
    tamper(HIDDEN, [number, at, tenant_id, action, json.dumps(after)])
    tamper("INSERT INTO compliance_auditpending VALUES (%s) ON CONFLICT DO NOTHING", [number])


def removed(log: AuditLog, first: int, until: int) -> None:
    values = {"log": log.pk, "from": first, "to": until}
    tamper(f"DELETE FROM compliance_auditevent WHERE id IN {OF}", values)
    tamper(
        "DELETE FROM compliance_auditleaf WHERE log_id = %(log)s AND index >= %(from)s AND index < %(to)s",
        values,
    )


def cut(log: AuditLog) -> int:
    """Takes the log back to its first checkpoint, and everything in the database with it."""
    first = AuditCheckpoint.objects.filter(log=log).order_by("size")[0].size
    removed(log, first, 10**6)
    tamper("DELETE FROM compliance_auditcheckpoint WHERE log_id = %s AND size > %s", [log.pk, first])
    tamper("UPDATE compliance_auditlog SET size = %s WHERE id = %s", [first, log.pk])
    change = "UPDATE compliance_audittile SET hashes = substr(hashes, 1, %s) WHERE log_id = %s AND level = 0"
    tamper(change, [32 * first, log.pk])
    return first


# --- words of events that are in no log ------------------------------------------------------------------------------


def test_the_database_takes_no_event_of_such_a_number() -> None:
    with pytest.raises(IntegrityError, match="audit_event_numbered"):
        tamper(HIDDEN, [-1, IN_FUTURE, None, "x.y", "{}"])


@pytest.mark.parametrize("number", [-1, 0, -(2**63), 10**15])
def test_a_pruning_that_is_in_no_log_excuses_nothing(log: AuditLog, number: int) -> None:
    hidden(number, "auditlog.pruned", {"from": 0, "to": 35}, log.tenant_id)
    removed(log, 0, 35)
    tamper("UPDATE compliance_auditlog SET pruned_to = 35 WHERE id = %s", [log.pk])
    assert "no pruning says so" in texts()
    assert "of a time that is still to come" in texts()
    audit_log.checkpoint(by=THE_SYSTEM)
    assert "no pruning says so" in texts()


def test_one_that_waits_longer_than_events_do_excuses_nothing(log: AuditLog) -> None:
    hidden(10**15, "auditlog.pruned", {"from": 0, "to": 35}, log.tenant_id, at="2026-01-01")
    removed(log, 0, 35)
    tamper("UPDATE compliance_auditlog SET pruned_to = 35 WHERE id = %s", [log.pk])
    assert "no pruning says so" in texts()
    assert "is given no place" in texts()


def test_a_redaction_that_is_in_no_log_excuses_nothing(log: AuditLog) -> None:
    event = AuditEvent.objects.get(pk=AuditLeaf.objects.get(log=log, index=7).event_id)
    fields = leaves.fields_of({name: getattr(event, name) for name in leaves.COLUMNS})
    salts = bytes(event.salts)
    committed = leaves.commitments(fields, salts, {})
    dropped = [name for name in fields if name == "reason" or name.startswith("after.")]
    kept = {name: value for name, value in fields.items() if name not in dropped}
    tamper(
        "UPDATE compliance_auditevent SET reason = '', after = '{}', salts = %s, redacted = %s WHERE id = %s",
        [_salts_of(kept, fields, salts), json.dumps({name: committed[name] for name in dropped}), event.pk],
    )
    hidden(-1, "auditevent.redacted", {"events": {str(event.pk): dropped}}, log.tenant_id)
    assert "no redaction says so" in texts()


def test_a_restore_that_is_in_no_log_excuses_nothing(log: AuditLog) -> None:
    sizes = AuditCheckpoint.objects.filter(log=log).values_list("size", "root")
    pairs = [[size, bytes(root).hex()] for size, root in sizes]
    hidden(-2, "auditlog.rolled_back", {"logs": {log.origin: [0, 10**15]}, "lost": {log.origin: pairs}}, None)
    removed(log, 0, log.size)
    for table in ("audittile", "auditcheckpoint"):
        tamper(f"DELETE FROM compliance_{table} WHERE log_id = %s", [log.pk])
    tamper("UPDATE compliance_auditlog SET size = 0, pruned_to = 0 WHERE id = %s", [log.pk])
    assert "cut off here or rolled back" in texts()
    events(5)
    audit_log.checkpoint(by=THE_SYSTEM)
    assert "cut off here or rolled back" in texts()


# --- words that say nothing ------------------------------------------------------------------------------------------

MALFORMED: tuple[tuple[str, Any], ...] = (
    ("auditlog.pruned", {}),
    ("auditlog.pruned", {"to": None}),
    ("auditevent.redacted", {"events": 3}),
    ("auditevent.redacted", {"events": {"x": [[]]}}),
    ("auditlog.rolled_back", {"x": 1}),
    ("auditlog.rolled_back", {"lost": {"x": [[1]]}}),
    ("auditlog.copies_lost", {"sinks": []}),
)


@pytest.mark.parametrize(("action", "after"), MALFORMED)
def test_a_malformed_event_is_a_finding_and_hides_no_other(log: AuditLog, action: str, after: Any) -> None:
    tenant_id = None if action in ("auditlog.rolled_back", "auditlog.copies_lost") else log.tenant_id
    hidden(10**15, action, after, tenant_id, at="now")
    change = "UPDATE compliance_auditevent SET reason = 'x' WHERE id IN "
    tamper(change + OF, {"log": log.pk, "from": 3, "to": 4})
    report = actions.verify(by=THE_SYSTEM)
    assert {3, None} <= {each.index for each in report.in_order()}
    assert "does not say what such events say" in texts()
    assert verification.read_alarm() is not None


UNREADABLE = ("occurred_at = 'infinity'", "occurred_at = '20000-01-01'", "occurred_at = '-infinity'")


@pytest.mark.parametrize("change", UNREADABLE)
def test_an_event_that_cannot_be_read_is_a_finding(log: AuditLog, change: str) -> None:
    tamper(f"UPDATE compliance_auditevent SET {change} WHERE id IN {OF}", {"log": log.pk, "from": 3, "to": 4})
    assert [each.index for each in found() if "cannot be read" in each.text] == [3]


def test_a_run_that_breaks_off_is_told_and_shown(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise LookupError("something that nobody thought of")

    with monkeypatch.context() as patch:
        patch.setattr(checking, "check", broken)
        with pytest.raises(LookupError):
            actions.verify(by=THE_SYSTEM)
    alarm = verification.read_alarm()
    assert alarm is not None
    assert (alarm.is_broken_off, alarm.findings, alarm.first) == (True, 0, "LookupError")
    alert = Alert.objects.get(kind="audit_tampered", subject=verification.INCOMPLETE)
    assert alert.cleared_at is None
    actions.verify(by=THE_SYSTEM)
    assert verification.read_alarm() is None
    alert.refresh_from_db()
    assert alert.cleared_at is not None


# --- sinks that have lost what they had ------------------------------------------------------------------------------


def test_a_sink_that_lost_a_whole_log_is_missed(log: AuditLog) -> None:
    path = settings.AUDIT_FILES_DIR / f"{log.origin}.jsonl"
    path.unlink()
    assert f"files had the checkpoint over {log.size:,} events, and lost it" in texts()
    tamper("UPDATE compliance_auditcheckpoint SET delivered_to = '{}' WHERE log_id = %s", [log.pk])
    assert "files holds no checkpoint of this log" in texts()
    cut(log)
    assert "files holds no checkpoint of this log" in texts()


def test_a_folder_that_is_not_there_is_not_verified(log: AuditLog) -> None:
    shutil.rmtree(settings.AUDIT_FILES_DIR)
    report = actions.verify(by=THE_SYSTEM)
    assert not report.is_clean
    assert "there is no folder" in report.unchecked[0]
    assert Alert.objects.filter(kind="audit_tampered", subject=verification.INCOMPLETE, cleared_at=None).exists()


def test_a_sink_that_was_lost_with_the_machine_is_put_on_record(log: AuditLog) -> None:
    shutil.rmtree(settings.AUDIT_FILES_DIR)
    settings.AUDIT_FILES_DIR.mkdir()
    assert found()
    accepted = actions.accept_rollback(by=THE_SYSTEM, reason="The disk of the sink was lost, too.")
    assert accepted.sinks["files"][log.origin] == log.size
    assert found() == []
    sealed(3)
    assert found() == []
    (settings.AUDIT_FILES_DIR / f"{AuditLog.objects.get(tenant_id=None).origin}.jsonl").unlink()
    assert "and lost it" in texts()
    with pytest.raises(ActionRefused, match="Say which restore"):
        actions.accept_rollback(by=THE_SYSTEM, reason=" ")


def test_a_new_sink_is_given_the_last_checkpoint_of_each_log(log: AuditLog) -> None:
    shutil.rmtree(settings.AUDIT_FILES_DIR)
    settings.AUDIT_FILES_DIR.mkdir()
    tamper("UPDATE compliance_auditcheckpoint SET delivered_to = '{s3}'")
    assert found()
    assert audit_log.deliver() == 2
    assert found() == []
    assert audit_log.deliver() == 0


# --- restores --------------------------------------------------------------------------------------------------------


def test_what_came_after_a_restore_is_missed_as_anything_else(log: AuditLog) -> None:
    first = cut(log)
    assert "cut off here or rolled back" in texts()
    accepted = actions.accept_rollback(by=THE_SYSTEM, reason="Restored the backup of 02:00.")
    assert accepted.logs[log.origin] == (first, log.size)
    assert found() == []
    tenant = Tenant.objects.get(pk=log.tenant_id or 0)
    sealed(30, tenant=tenant)
    assert found() == []
    cut(log)
    assert "cut off here or rolled back" in texts(), "the new events are gone"
    events(30, tenant=tenant, action="tier.forged")
    audit_log.checkpoint(by=THE_SYSTEM)
    audit_log.deliver()
    assert "holds another checkpoint" in texts(), "and others are in their place"


def test_nothing_waits_unseen(log: AuditLog) -> None:
    numbers = events(3)
    change = "UPDATE compliance_auditevent SET occurred_at = occurred_at - interval '2 days' WHERE id = ANY(%s)"
    tamper(change, [numbers])
    assert texts().count("is given no place") == 3, "although nothing was sequenced since"
    assert AuditPending.objects.filter(event_id__in=numbers).count() == 3
