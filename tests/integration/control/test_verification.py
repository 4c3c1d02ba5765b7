"""What the verifier of the audit log finds, and where."""

from typing import Any

import pytest

from compliance.evidence import checking
from compliance.evidence.checking import Wanted
from compliance.evidence.findings import Finding
from compliance.models import AuditLog
from tests.factories import a_tenant
from tests.factories.audit import TABLES, events, sealed, tamper, trying

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

EVENT = "(SELECT event_id FROM compliance_auditleaf WHERE log_id = %(log)s AND index = %(index)s)"


def found(**wanted: Any) -> list[Finding]:
    return checking.check(Wanted(**wanted)).in_order()


@pytest.fixture
def log() -> AuditLog:
    """Two tiles and a bit, in three checkpoints."""
    tenant = a_tenant()
    sealed(10, tenant=tenant)
    sealed(290, tenant=tenant)
    return sealed(300, tenant=tenant)


def altered(log: AuditLog, statement: str, *, index: int = 7, **values: Any) -> list[Finding]:
    """What is found while that was done to the log; afterwards it is undone."""
    values = {"log": log.pk, "index": index, **values}
    findings: list[Finding] = trying(statement.replace("{event}", EVENT), values, found)
    assert {each.log for each in findings} == {log.origin}, (statement, findings)
    return findings


def test_it_works(log: AuditLog) -> None:
    report = checking.check(Wanted())
    assert report.is_clean, report.in_order()
    assert (report.events, report.logs) == (sum(AuditLog.objects.values_list("size", flat=True)), 2)
    assert report.checkpoints >= 4


def test_events_that_wait_for_their_place_are_no_finding(log: AuditLog) -> None:
    events(3)
    assert found() == []


COLUMNS = (
    "occurred_at = occurred_at + interval '1 microsecond'",
    "tenant_id = NULL",
    "actor_kind = 'user'",
    "actor_id = '1'",
    "action = 'tier.added'",
    "target_kind = 'budget'",
    "target_id = target_id || '1'",
    "outcome = 'failure'",
    "reason = ''",
    "before = '{}'",
    "before = '[]'",
    "after = jsonb_set(after, '{count}', '-1')",
    "after = jsonb_set(after, '{more}', '{}')",
    "request_id = 'r'",
    "ip = '127.0.0.1'",
    "user_agent = 'x'",
    "version = 1",
    "salts = substr(salts, 2)",
    "salts = set_byte(salts, 3, 255 - get_byte(salts, 3))",
    "salts = ''",
    """redacted = '{"after.other": "00"}'""",
    "subjects = '{eu_aaaaaaaaaaaaaaaaaaaaaaaa}'",
)


def test_a_change_of_any_column_is_found_at_its_index(log: AuditLog) -> None:
    for index, change in enumerate(COLUMNS, start=245):
        text = f"UPDATE compliance_auditevent SET {change} WHERE id = {{event}}"
        assert altered(log, text, index=index)[0].index == index, change


@pytest.mark.parametrize("index", [0, 9, 255, 256, 300, 599])
def test_wherever_it_is(log: AuditLog, index: int) -> None:
    change = "UPDATE compliance_auditevent SET reason = 'another' WHERE id = {event}"
    assert [each.index for each in altered(log, change, index=index)] == [index]
    assert altered(log, "DELETE FROM compliance_auditevent WHERE id = {event}", index=index)[0].index == index
    gone = "DELETE FROM compliance_auditleaf WHERE log_id = %(log)s AND index = %(index)s"
    assert altered(log, gone, index=index)[0].index == index


def test_an_event_that_goes_with_its_place_leaves_a_gap(log: AuditLog) -> None:
    both = """WITH place AS (DELETE FROM compliance_auditleaf WHERE log_id = %(log)s AND index = %(index)s
              RETURNING event_id) DELETE FROM compliance_auditevent WHERE id IN (SELECT event_id FROM place)"""
    assert [str(each) for each in altered(log, both)] == [
        f"{log.origin}, index 7: No event has this place in the log any more."
    ]


def test_an_event_that_goes_with_its_place_and_all_that_follow_move_up(log: AuditLog) -> None:
    shift = """WITH gone AS (DELETE FROM compliance_auditleaf WHERE log_id = %(log)s AND index = %(index)s)
               UPDATE compliance_auditleaf SET index = index + 999999 WHERE log_id = %(log)s AND index > %(index)s"""
    back = "UPDATE compliance_auditleaf SET index = index - 1000000 WHERE log_id = %(log)s AND index > 999999"

    def then() -> list[Finding]:
        tamper(back, {"log": log.pk})
        return found()

    assert trying(shift, {"log": log.pk, "index": 7}, then)[0].index == 7


def test_two_events_that_changed_places_are_found_at_the_first(log: AuditLog) -> None:
    swap = """UPDATE compliance_auditleaf leaf SET index = -index WHERE log_id = %(log)s AND index IN (7, 9)"""
    back = """UPDATE compliance_auditleaf leaf SET index = 16 + index WHERE log_id = %(log)s AND index < 0"""

    def then() -> list[int | None]:
        tamper(back, {"log": log.pk})
        return [each.index for each in found()]

    assert trying(swap, {"log": log.pk}, then) == [7, 9]


INSERT = """
INSERT INTO compliance_auditevent (id, occurred_at, tenant_id, actor_kind, actor_id, action, target_kind, target_id,
    outcome, reason, before, after, request_id, user_agent, version, salts, redacted, subjects)
SELECT 1000000, occurred_at, tenant_id, actor_kind, actor_id, action, target_kind, target_id, outcome, reason, before,
    after, request_id, user_agent, version, salts, redacted, subjects FROM compliance_auditevent WHERE id = {event}
"""


def test_an_event_that_was_put_in_is_found(log: AuditLog) -> None:
    (finding,) = altered(log, INSERT)
    assert "Event 1000000 has no place" in finding.text
    with_place = f"WITH new AS ({INSERT}) INSERT INTO compliance_auditleaf VALUES (1000000, 600, %(log)s)"
    columns = "(event_id, index, log_id)"
    with_place = with_place.replace("compliance_auditleaf VALUES", f"compliance_auditleaf {columns} VALUES")
    assert altered(log, with_place.replace("1000000, 600", f"1000000, {log.size}"))[0].index == log.size


@pytest.mark.parametrize("index", [0, 9, 300, 599])
def test_a_log_that_was_cut_off_is_found_where_it_ends_now(log: AuditLog, index: int) -> None:
    cut = "DELETE FROM compliance_auditleaf WHERE log_id = %(log)s AND index >= %(index)s"
    assert altered(log, cut, index=index)[0].index == index
    cut = "DELETE FROM compliance_auditevent WHERE id IN (SELECT event_id FROM compliance_auditleaf WHERE index >= 5)"
    assert trying(cut, {}, found)[0].index == 5


TILE, POINT = "compliance_audittile", "compliance_auditcheckpoint"
HASHES = (
    (
        f"UPDATE {TILE} SET hashes = set_byte(hashes, 320, 255 - get_byte(hashes, 320)) WHERE level = 0 AND index = 1",
        266,
    ),
    (f"UPDATE {TILE} SET hashes = substr(hashes, 1, 320) WHERE level = 0 AND index = 1", 266),
    (f"UPDATE {TILE} SET hashes = hashes || hashes WHERE level = 0 AND index = 2", 600),
    (f"UPDATE {TILE} SET hashes = set_byte(hashes, 33, 255 - get_byte(hashes, 33)) WHERE level = 1", 256),
    (f"UPDATE {TILE} SET index = 7 WHERE level = 0 AND index = 1", 256),
    (f"UPDATE {TILE} SET level = 3 WHERE level = 1", 0),
    (f"DELETE FROM {TILE} WHERE level = 0 AND index = 1", 256),
    (f"DELETE FROM {TILE} WHERE level = 1", 0),
    (f"UPDATE {POINT} SET root = set_byte(root, 5, 255 - get_byte(root, 5)) WHERE size = %(size)s", 10),
    (f"UPDATE {POINT} SET size = size + 1 WHERE size = %(size)s", 299),
    (f"UPDATE {POINT} SET note = replace(note, size::text, (size + 1)::text) WHERE size = %(size)s", 299),
    (f"UPDATE {POINT} SET note = '' WHERE size = %(size)s", 299),
    (f"UPDATE {POINT} SET log_id = log_id + 1000 WHERE size = %(size)s", 299),
    (f"DELETE FROM {POINT} WHERE size = %(size)s", 299),
    (f"DELETE FROM {POINT} WHERE size = %(size)s + 300", 599),
    ("UPDATE compliance_auditlog SET size = size - 1 WHERE size = %(size)s + 300", 598),
    # Then places are free that nothing fills.
    ("UPDATE compliance_auditlog SET size = size + 1 WHERE size = %(size)s + 300", 600),
    ("UPDATE compliance_auditlog SET pruned_to = 5 WHERE size = %(size)s + 300", 0),
)
"""What is done to the hashes and checkpoints, and at which index it is found."""


def test_hashes_and_checkpoints_that_were_changed_are_found(log: AuditLog) -> None:
    more = log.size - 600  # what opening a tenant leaves in its log
    for change, index in HASHES:
        findings = trying(change, {"size": 300 + more}, found)
        expected = index + more if index > 266 or index == 10 else index
        assert next(each.index for each in findings if each.index is not None) == expected, (change, findings)


def test_a_log_of_another_name_or_tenant_is_found(log: AuditLog) -> None:
    for change in ("origin = origin || '1'", "tenant_id = tenant_id + 1"):
        assert trying(f"UPDATE compliance_auditlog SET {change} WHERE id = %s", [log.pk], found), change


def test_a_log_that_is_gone_is_known_to_the_sink(log: AuditLog) -> None:
    assert trying("DELETE FROM compliance_auditlog WHERE id = %s", [log.pk], found)
    whole = f"TRUNCATE {', '.join(f'compliance_{name}' for name in TABLES)} CASCADE"

    def then() -> list[Finding]:
        tamper(whole)
        return found()

    findings = trying("UPDATE compliance_auditlog SET size = size", [], then)
    assert (log.origin, 0, log.size) in [(each.log, each.index, each.until) for each in findings]
