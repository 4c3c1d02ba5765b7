"""Purging what people decided, once the time after its end is over. What still allows something never goes."""

from typing import LiteralString

from psycopg import sql

from compliance import holds
from compliance.purgers import Done, Line, Scope, Steps, Work
from compliance.purging.sources import SLICE, fetch
from compliance.registry import Class
from compliance.retention import rules
from compliance.retention_rules import cutoff

STORE = "compliance_consentrecord"

# Rows that follow one another end together: with the last one, unless that allows something still.
ENDED = """
WITH last AS (
    SELECT DISTINCT ON (record_id) record_id, tenant_id, subject_id,
           CASE WHEN live AND state IN ('given', 'reaffirmed') THEN expires_at ELSE event_at END AS ended_at
    FROM compliance_consentrecord ORDER BY record_id, id DESC
), due AS (
    SELECT last.record_id, last.tenant_id, last.ended_at, subject.surrogate
    FROM last
    JOIN unnest(%(tenants)s::bigint[], %(cutoffs)s::timestamptz[]) AS due (tenant_id, before)
        ON due.tenant_id = last.tenant_id AND last.ended_at < due.before
    JOIN compliance_subject subject ON subject.id = last.subject_id
)
"""
# A record proves that what a hold keeps was kept rightly: whatever the hold is about, it covers it, unless that is
# another person.
COVERED = "hold_covers(hold, due.surrogate, NULL, NULL, NULL, NULL, NULL, NULL)"
BY_TENANT = """{ended}
SELECT tenant_id, sum(rows) FILTER (WHERE NOT is_held), min(ended_at) FILTER (WHERE NOT is_held),
       sum(rows) FILTER (WHERE is_held)
FROM (
    SELECT due.tenant_id, due.ended_at,
        (SELECT count(*) FROM compliance_consentrecord record WHERE record.record_id = due.record_id) AS rows,
        EXISTS (SELECT FROM compliance_legalhold hold WHERE hold.tenant_id = due.tenant_id
                AND hold.state IN ('active', 'release_requested') AND {covered}) AS is_held
    FROM due
) AS counted GROUP BY tenant_id ORDER BY tenant_id
"""
BY_HOLD = """{ended}
SELECT hold.tenant_id, hold.id, count(*) FROM due
JOIN compliance_legalhold hold ON hold.tenant_id = due.tenant_id AND hold.state IN ('active', 'release_requested')
JOIN compliance_consentrecord record ON record.record_id = due.record_id
WHERE {covered} GROUP BY 1, 2 ORDER BY 2
"""
# Whole records only: half a history would say something else than the whole.
DELETE = """{ended}
, slice AS (
    SELECT due.record_id FROM due
    WHERE NOT EXISTS (SELECT FROM compliance_legalhold hold WHERE hold.tenant_id = due.tenant_id
                      AND hold.state IN ('active', 'release_requested') AND {covered})
    ORDER BY due.record_id LIMIT %(most)s
), gone AS (
    DELETE FROM compliance_consentrecord WHERE record_id IN (SELECT record_id FROM slice) RETURNING tenant_id
)
SELECT tenant_id, count(*) FROM gone GROUP BY tenant_id
"""


def plan(scope: Scope) -> list[Line]:
    """Which consent records are due, by tenant."""
    found, values = rules(Class.CONSENT, edited=scope.edited), _cutoffs(scope)
    held: dict[int, dict[int, int]] = {}
    for pk, hold, rows in _fetch(BY_HOLD, values) if holds.in_force().exists() else ():
        held.setdefault(pk, {})[hold] = rows
    return [
        Line(
            store=STORE,
            tenant_id=pk,
            rows=int(rows or 0),
            oldest=oldest.date() if oldest else None,
            why=f"{found.of(pk).why} after it ended",
            held_rows=int(held_rows or 0),
            held=held.get(pk, {}),
        )
        for pk, rows, oldest, held_rows in _fetch(BY_TENANT, values)
    ]


def steps(work: Work) -> Steps:
    """Removes what was planned."""
    values = {**_cutoffs(Scope(as_of=work.as_of)), "most": SLICE}

    def step() -> Done:
        return Done(dict(_fetch(DELETE, values)), how="deleted")

    while any(work.left.values()):
        if not (yield step).removed:
            return


def _fetch(text: LiteralString, values: dict[str, object]) -> list[tuple]:  # type: ignore[type-arg]
    return fetch(sql.SQL(text).format(ended=sql.SQL(ENDED), covered=sql.SQL(COVERED)), values)


def _cutoffs(scope: Scope) -> dict[str, object]:
    found = rules(Class.CONSENT, edited=scope.edited)
    rows = fetch("SELECT DISTINCT tenant_id FROM compliance_consentrecord ORDER BY tenant_id")
    tenants = [pk for (pk,) in rows if scope.tenant_id in (None, pk)]
    return {"tenants": tenants, "cutoffs": [cutoff(scope.as_of, found.of(pk).days) for pk in tenants]}
