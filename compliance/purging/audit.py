"""Purging audit events when their time is over: the oldest of each log first, so that what is left has no gaps.

Rows and places go; the hashes stay, so every root, checkpoint and proof stays valid. The log itself says what went, and
the verifier asks for that. Nothing goes while an alarm over the log is open, or where an event is missing already: it
would take the traces along.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import structlog

from compliance import audit, guard, holds, verification
from compliance.contracts import Actor, Target
from compliance.purgers import PLATFORM, Done, Line, Scope, Step, Steps, Work
from compliance.purging.sources import SLICE, fetch
from compliance.registry import Class
from compliance.retention import rules
from compliance.retention_rules import cutoff

STORE = "compliance_auditevent"
PURGE = Actor(kind="system", id="purge")

LOGS = "SELECT id, coalesce(tenant_id, %(platform)s), size, pruned_to FROM compliance_auditlog ORDER BY id"
# Events got their places in about the order in which they happened. The first that is not due ends what goes.
FIRST_KEPT = """
SELECT leaf.index FROM compliance_auditleaf leaf JOIN compliance_auditevent e ON e.id = leaf.event_id
WHERE leaf.log_id = %(log)s AND leaf.index >= %(first)s AND e.occurred_at >= %(before)s ORDER BY leaf.index LIMIT 1
"""
OLDEST = """
SELECT e.occurred_at FROM compliance_auditleaf leaf JOIN compliance_auditevent e ON e.id = leaf.event_id
WHERE leaf.log_id = %(log)s AND leaf.index = %(first)s
"""
LOCK = "SELECT size, pruned_to FROM compliance_auditlog WHERE id = %(log)s FOR UPDATE"
WHOLE = """
SELECT count(*) FROM compliance_auditleaf leaf JOIN compliance_auditevent e ON e.id = leaf.event_id
WHERE leaf.log_id = %(log)s AND leaf.index >= %(first)s AND leaf.index < %(until)s
"""
REMOVE = """
WITH places AS (
    DELETE FROM compliance_auditleaf WHERE log_id = %(log)s AND index >= %(first)s AND index < %(until)s
    RETURNING event_id
), moved AS (
    UPDATE compliance_auditlog SET pruned_to = %(until)s WHERE id = %(log)s
), gone AS (
    DELETE FROM compliance_auditevent WHERE id IN (SELECT event_id FROM places) RETURNING id
)
SELECT count(*) FROM gone
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Due:
    """A log and what of it is due: the events from `first` to before `until`. `tenant_id`: PLATFORM for its own."""

    log_id: int
    tenant_id: int
    first: int
    until: int


def plan(scope: Scope) -> list[Line]:
    """Which events are due, by log. Any hold on something of a tenant keeps all events of its log."""
    found = rules(Class.AUDIT, edited=scope.edited)
    lines = []
    for due in _due(scope):
        rows = due.until - due.first
        held = [hold.pk for hold in holds.in_force(due.tenant_id)] if due.tenant_id != PLATFORM else []
        lines.append(
            Line(
                store=STORE,
                tenant_id=due.tenant_id,
                rows=0 if held else rows,
                oldest=_oldest(due),
                why=found.of(due.tenant_id).why,
                held_rows=rows if held else 0,
                held=dict.fromkeys(held, rows),
            )
        )
    return lines


def steps(work: Work) -> Steps:
    """Removes what was planned."""
    cutoffs = _cutoff(Scope(as_of=work.as_of))
    for due in _due(Scope(as_of=work.as_of)):
        while work.left.get(due.tenant_id, 0) > 0:
            done = yield _step(due, work, before=cutoffs(due.tenant_id))
            if not done.removed.get(due.tenant_id):
                break


def _step(due: Due, work: Work, *, before: datetime) -> Step:
    def step() -> Done:
        ((size, first),) = fetch(LOCK, {"log": due.log_id})
        most = min(SLICE, work.left[due.tenant_id])
        until = min(_first_kept(due.log_id, first, size, before), first + most)
        if until == first or not _may_go(due.log_id, first, until):
            return Done()
        with guard.lifted("prune"):
            fetch(REMOVE, {"log": due.log_id, "first": first, "until": until})
        tenant_id = None if due.tenant_id == PLATFORM else due.tenant_id
        audit.record(
            by=PURGE,
            action="auditlog.pruned",
            target=Target("auditlog", str(due.log_id)),
            tenant_id=tenant_id,
            after={"from": first, "to": until},
            reason="Their time is over.",
        )
        return Done({due.tenant_id: until - first}, how=f"events {first} to {until - 1} of log {due.log_id}")

    return step


def _may_go(log_id: int, first: int, until: int) -> bool:
    ((there,),) = fetch(WHOLE, {"log": log_id, "first": first, "until": until})
    if there != until - first or verification.read_alarm() is not None:
        log.error("audit events stay: the log was altered", log=log_id, first=first, until=until, there=there)
        return False
    return True


def _due(scope: Scope) -> list[Due]:
    before = _cutoff(scope)
    found = []
    for log_id, tenant_id, size, first in fetch(LOGS, {"platform": PLATFORM}):
        if scope.tenant_id in (None, tenant_id):
            until = _first_kept(log_id, first, size, before(tenant_id))
            if until > first:
                found.append(Due(log_id, tenant_id, first, until))
    return found


def _first_kept(log_id: int, first: int, size: int, before: datetime) -> int:
    rows = fetch(FIRST_KEPT, {"log": log_id, "first": first, "before": before})
    return int(rows[0][0]) if rows else size


def _cutoff(scope: Scope) -> Callable[[int], datetime]:
    found = rules(Class.AUDIT, edited=scope.edited)
    return lambda tenant_id: cutoff(scope.as_of, found.of(tenant_id).days)


def _oldest(due: Due) -> date | None:
    rows = fetch(OLDEST, {"log": due.log_id, "first": due.first})
    return rows[0][0].date() if rows else None
