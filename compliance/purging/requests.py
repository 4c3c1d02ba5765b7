"""Purging closed subject requests with their history, steps, corrections and the record of their exports."""

from typing import LiteralString

from psycopg import sql

from compliance import holds
from compliance.purgers import Done, Line, Scope, Steps, Work
from compliance.purging.sources import fetch
from compliance.registry import Class
from compliance.retention import rules
from compliance.retention_rules import cutoff

STORE = "compliance_subjectrequest"
SLICE = 500

# A request and its duplicates point to one another and go together: all closed, and the last one long enough ago. They
# stay with data that is there and that they say something of: an export's file, a conversation that was corrected.
ENDED = """
WITH due AS (
    SELECT coalesce(r.duplicate_of_id, r.id) AS first, r.tenant_id, s.surrogate, max(r.closed_at) AS ended_at,
           count(*) AS rows
    FROM compliance_subjectrequest r
    JOIN compliance_subject s ON s.id = r.subject_id
    JOIN unnest(%(tenants)s::bigint[], %(cutoffs)s::timestamptz[]) AS rule (tenant_id, before)
        ON rule.tenant_id = r.tenant_id
    GROUP BY 1, 2, 3
    HAVING bool_and(coalesce(r.closed_at < rule.before, false))
       AND NOT bool_or(EXISTS (SELECT FROM compliance_subjectexport e
                               WHERE e.request_id = r.id AND e.deleted_at IS NULL))
       AND NOT bool_or(EXISTS (SELECT FROM compliance_rectification c
                               JOIN transcript t ON t.tenant_id = r.tenant_id AND t.surrogate = s.surrogate
                               WHERE c.request_id = r.id AND t.created_at <= c.created_at))
)
"""
# A request tells what was done with what a hold keeps: whatever the hold is about, it covers it, unless that is another
# person.
COVERED = "hold_covers(hold, due.surrogate, NULL, NULL, NULL, NULL, NULL, NULL)"
BY_TENANT = """{ended}
SELECT tenant_id, sum(rows) FILTER (WHERE NOT is_held), min(ended_at) FILTER (WHERE NOT is_held),
       sum(rows) FILTER (WHERE is_held)
FROM (
    SELECT due.*, EXISTS (SELECT FROM compliance_legalhold hold WHERE hold.tenant_id = due.tenant_id
                          AND hold.state IN ('active', 'release_requested') AND {covered}) AS is_held
    FROM due
) AS counted GROUP BY tenant_id ORDER BY tenant_id
"""
BY_HOLD = """{ended}
SELECT hold.tenant_id, hold.id, sum(due.rows) FROM due
JOIN compliance_legalhold hold ON hold.tenant_id = due.tenant_id AND hold.state IN ('active', 'release_requested')
WHERE {covered} GROUP BY 1, 2 ORDER BY 2
"""
SLICE_OF = """{ended}
SELECT r.id, r.tenant_id FROM (
    SELECT due.first FROM due
    WHERE NOT EXISTS (SELECT FROM compliance_legalhold hold WHERE hold.tenant_id = due.tenant_id
                      AND hold.state IN ('active', 'release_requested') AND {covered})
    ORDER BY due.first LIMIT %(most)s
) AS slice JOIN compliance_subjectrequest r ON slice.first IN (r.id, r.duplicate_of_id)
"""
# In this order: the database lets the history go only while its request, closed for long enough, is there.
PARTS = (
    "compliance_subjectrequestevent",
    "compliance_requeststep",
    "compliance_rectification",
    "compliance_subjectexport",
)
DELETE_PART = "WITH gone AS (DELETE FROM {table} WHERE request_id = ANY(%(ids)s) RETURNING 1) SELECT count(*) FROM gone"
DELETE = """
WITH gone AS (DELETE FROM compliance_subjectrequest WHERE id = ANY(%(ids)s) RETURNING tenant_id)
SELECT tenant_id, count(*) FROM gone GROUP BY tenant_id
"""


def plan(scope: Scope) -> list[Line]:
    """Which closed requests are due, by tenant."""
    found, values = rules(Class.REQUESTS, edited=scope.edited), _cutoffs(scope)
    held: dict[int, dict[int, int]] = {}
    for pk, hold, rows in _fetch(BY_HOLD, values) if holds.in_force().exists() else ():
        held.setdefault(pk, {})[hold] = int(rows)
    return [
        Line(
            store=STORE,
            tenant_id=pk,
            rows=int(rows or 0),
            oldest=oldest.date() if oldest else None,
            why=f"{found.of(pk).why} after they were closed",
            held_rows=int(held_rows or 0),
            held=held.get(pk, {}),
        )
        for pk, rows, oldest, held_rows in _fetch(BY_TENANT, values)
    ]


def steps(work: Work) -> Steps:
    """Removes what was planned."""
    values = {**_cutoffs(Scope(as_of=work.as_of)), "most": SLICE}

    def step() -> Done:
        return _delete([pk for pk, _ in _fetch(SLICE_OF, values)])

    while any(work.left.values()):
        if not (yield step).removed:
            return


def _delete(ids: list[int]) -> Done:
    for name in PARTS:
        fetch(sql.SQL(DELETE_PART).format(table=sql.Identifier(name)), {"ids": ids})
    return Done(dict(fetch(DELETE, {"ids": ids})), how="deleted with their history")


def _fetch(text: LiteralString, values: dict[str, object]) -> list[tuple]:  # type: ignore[type-arg]
    return fetch(sql.SQL(text).format(ended=sql.SQL(ENDED), covered=sql.SQL(COVERED)), values)


def _cutoffs(scope: Scope) -> dict[str, object]:
    found = rules(Class.REQUESTS, edited=scope.edited)
    rows = fetch("SELECT DISTINCT tenant_id FROM compliance_subjectrequest ORDER BY tenant_id")
    tenants = [pk for (pk,) in rows if scope.tenant_id in (None, pk)]
    return {"tenants": tenants, "cutoffs": [cutoff(scope.as_of, found.of(pk).days) for pk in tenants]}
