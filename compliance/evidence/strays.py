"""Finds what is in no log, and rows of logs that are out of place: each by one statement, so at one moment."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from compliance.evidence.findings import Finding
from compliance.evidence.pool import fetch
from compliance.evidence.slices import UNREADABLE, Log

STEP = 200_000
"""Events that one statement looks at."""
MOST = 100

# What had no place yet when the verification began is believed for minutes: by then the sequencer has taken it.
WAITING = """
SELECT e.id, e.action, e.after::text FROM compliance_auditevent e
LEFT JOIN compliance_auditleaf leaf ON leaf.event_id = e.id
WHERE e.action = ANY(%s) AND e.tenant_id IS NOT DISTINCT FROM %s
  AND (leaf.index >= %s OR EXISTS (SELECT FROM compliance_auditpending pending WHERE pending.event_id = e.id))
  AND e.id > 0 AND e.occurred_at BETWEEN %s - interval '15 minutes' AND statement_timestamp() + interval '1 minute'
"""
NOW = "SELECT statement_timestamp()"
NEXT_STEP = """
SELECT max(id) FROM (SELECT id FROM compliance_auditevent WHERE id > %s ORDER BY id LIMIT %s) AS step
"""
UNNUMBERED = """
SELECT e.id, coalesce(log.origin, '') FROM compliance_auditevent e
LEFT JOIN compliance_auditlog log ON log.tenant_id IS NOT DISTINCT FROM e.tenant_id WHERE e.id <= 0
UNION SELECT event_id, '' FROM compliance_auditpending WHERE event_id <= 0
    AND NOT EXISTS (SELECT FROM compliance_auditevent e WHERE e.id = event_id)
ORDER BY 1 LIMIT %s
"""
FUTURE = """
SELECT e.id, coalesce(log.origin, ''), leaf.index FROM compliance_auditevent e
LEFT JOIN compliance_auditlog log ON log.tenant_id IS NOT DISTINCT FROM e.tenant_id
LEFT JOIN compliance_auditleaf leaf ON leaf.event_id = e.id
WHERE e.occurred_at > statement_timestamp() + interval '1 minute' ORDER BY e.occurred_at DESC LIMIT %s
"""
PLACELESS = """
SELECT e.id, coalesce(log.origin, '') FROM compliance_auditevent e
LEFT JOIN compliance_auditlog log ON log.tenant_id IS NOT DISTINCT FROM e.tenant_id
WHERE e.id > %s AND e.id <= %s
  AND NOT EXISTS (SELECT FROM compliance_auditleaf leaf WHERE leaf.event_id = e.id)
  AND NOT EXISTS (SELECT FROM compliance_auditpending pending WHERE pending.event_id = e.id)
ORDER BY e.id LIMIT %s
"""
PENDING = """
SELECT pending.event_id, e.id IS NULL, coalesce(log.origin, ''), leaf.index FROM compliance_auditpending pending
LEFT JOIN compliance_auditevent e ON e.id = pending.event_id
LEFT JOIN compliance_auditleaf leaf ON leaf.event_id = pending.event_id
LEFT JOIN compliance_auditlog log ON log.id = leaf.log_id
WHERE e.id IS NULL OR leaf.event_id IS NOT NULL ORDER BY 1 LIMIT %s
"""
# Events whose turn has passed for long, whether or not others were given places since.
LEFT = """
SELECT pending.event_id, coalesce(log.origin, '') FROM compliance_auditpending pending
JOIN compliance_auditevent e ON e.id = pending.event_id
LEFT JOIN compliance_auditlog log ON log.tenant_id IS NOT DISTINCT FROM e.tenant_id
WHERE e.occurred_at < statement_timestamp() - interval '1 hour' ORDER BY 1 LIMIT %s
"""
LEAVES = """
SELECT leaf.event_id, leaf.index, coalesce(log.origin, '') FROM compliance_auditleaf leaf
LEFT JOIN compliance_auditlog log ON log.id = leaf.log_id
WHERE log.id IS NULL ORDER BY leaf.index LIMIT %s
"""
BEHIND = """
SELECT leaf.event_id, leaf.index, log.origin FROM compliance_auditlog log
JOIN compliance_auditleaf leaf ON leaf.log_id = log.id AND (leaf.index >= log.size OR leaf.index < 0)
ORDER BY leaf.index LIMIT %s
"""
# Tiles that are longer than their log, or of none; that they are long enough is seen when they are read.
TILES = """
SELECT tile.level, tile.index, coalesce(log.origin, ''), coalesce(log.size, 0) FROM compliance_audittile tile
LEFT JOIN compliance_auditlog log ON log.id = tile.log_id
WHERE log.id IS NULL OR tile.index < 0 OR octet_length(tile.hashes)
    > 32 * least(256, coalesce(log.size >> least(8 * tile.level, 62), 0) - 256 * tile.index)
ORDER BY 3, 1, 2 LIMIT %s
"""
CHECKPOINTS = """
SELECT checkpoint.size, coalesce(log.origin, '') FROM compliance_auditcheckpoint checkpoint
LEFT JOIN compliance_auditlog log ON log.id = checkpoint.log_id
WHERE log.id IS NULL OR checkpoint.size > log.size OR checkpoint.size < 0 ORDER BY 1 LIMIT %s
"""
UNSIGNED = """
SELECT log.size, log.origin FROM compliance_auditlog log WHERE log.size > 0 AND NOT EXISTS (
    SELECT FROM compliance_auditcheckpoint checkpoint WHERE checkpoint.log_id = log.id AND checkpoint.size = log.size)
LIMIT %s
"""


@dataclass(slots=True)
class Waiting:
    """What events behind a log's end say: which fields of which events they destroyed, and how far they pruned."""

    redactions: list[dict[int, frozenset[str]]] = field(default_factory=list)
    pruned_to: int = 0
    findings: list[Finding] = field(default_factory=list)


def now() -> datetime:
    """The time of the database, by which events have theirs."""
    ((moment,),) = fetch(NOW, ())
    return moment  # type: ignore[no-any-return]


def waiting(log: Log, *, begun: datetime) -> Waiting:
    """What is said by events that waited for their places when the verification began, and not for long."""
    found, actions = Waiting(), ["auditevent.redacted", "auditlog.pruned"]
    for event_id, action, text in fetch(WAITING, (actions, log.tenant_id, log.size, begun)):
        try:
            after = json.loads(text)
            if action == "auditlog.pruned":
                found.pruned_to = max(found.pruned_to, int(after["to"]))
            else:
                found.redactions.append({int(pk): frozenset(names) for pk, names in after["events"].items()})
        except UNREADABLE:
            text = f"Event {event_id} ({action}) does not say what such events say."
            found.findings.append(Finding(log=log.origin, index=None, text=text))
    return found


def find() -> Iterator[Finding]:
    """Everything that is out of place, in all logs."""
    yield from _placeless()
    for event_id, is_gone, origin, index in fetch(PENDING, (MOST,)):
        text = "is gone before it had a place in its log" if is_gone else "is said to have no place, and has one"
        yield Finding(log=origin, index=index, text=f"Event {event_id} {text}.")
    for event_id, origin in fetch(UNNUMBERED, (MOST,)):
        yield Finding(log=origin, index=None, text=f"Event {event_id} has a number that no event has: it was inserted.")
    for event_id, origin, index in fetch(FUTURE, (MOST,)):
        yield Finding(log=origin, index=index, text=f"Event {event_id} is of a time that is still to come.")
    for event_id, origin in fetch(LEFT, (MOST,)):
        text = (
            f"Event {event_id} is given no place for more than an hour: no sequencer runs, its log was altered, or it"
            " cannot be read as an event."
        )
        yield Finding(log=origin, index=None, text=text)
    for event_id, index, origin in [*fetch(LEAVES, (MOST,)), *fetch(BEHIND, (MOST,))]:
        yield Finding(log=origin, index=index, text=f"Event {event_id} has a place behind the log's end.")
    for level, index, origin, size in fetch(TILES, (MOST,)):
        first, until = index * 256 ** (level + 1), (index + 1) * 256 ** (level + 1)
        text = f"There are more hashes (level {level}) than events for them."
        yield Finding(log=origin, index=size if first <= size < until else first, until=until, text=text)
    for size, origin in fetch(CHECKPOINTS, (MOST,)):
        yield Finding(log=origin, index=size - 1, text=f"A checkpoint of {size} events is of no log that is so long.")
    for size, origin in fetch(UNSIGNED, (MOST,)):
        yield Finding(log=origin, index=size - 1, text="No checkpoint is over the last events.")


def _placeless() -> Iterator[Finding]:
    after = 0
    while last := next(iter(fetch(NEXT_STEP, (after, STEP))))[0]:
        for event_id, origin in fetch(PLACELESS, (after, last, MOST)):
            text = f"Event {event_id} has no place, and waits for none: it was inserted, or lost its place."
            yield Finding(log=origin, index=None, text=text)
        after = last
