"""Purging conversations: what is held is set apart, what lies on the wrong day is put right, then days are dropped.

The policy in force decides, not the day that a row was given when it was stored: rows of a tenant whose policy has
changed since are moved to their right day before anything is dropped, or deleted in slices where that day has passed.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import partial

from django.db import connection
from psycopg import sql

from compliance import holds
from compliance.models import LegalHold
from compliance.purgers import Done, Line, Scope, Steps, Work
from compliance.purging import partitions
from compliance.purging.sources import BEGINNING, END, SLICE, Source, delete_slices, fetch, leaves
from compliance.registry import Class
from compliance.retention import Rules, rules
from compliance.retention_rules import cutoff, due_on

PARENT = "transcript_due"
APART = "transcript_held"
EVERY = sql.SQL("true")

CONTENT = Source(
    table="transcript",
    at="created_at",
    values="t.surrogate, t.api_key_id, t.model, t.application_id, t.environment, t.created_at, t.outcome",
    keeps=Class.CONTENT,
)

# Through the parent, as only that may move a row to another partition; the rows come from one partition, in order, so
# that no slice reads what the ones before have left. An erasure that meets a row on its way is told so by the database
# and tries again: it cannot overlook it.
MOVE = """
WITH slice AS (
    SELECT t.id, t.created_at FROM {leaf} t
    WHERE t.tenant_id = %(tenant)s AND t.created_at >= %(after)s AND t.created_at < %(before)s AND {which}
    ORDER BY t.created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE transcript SET {change} WHERE {here} AND id = ANY (ARRAY(SELECT id FROM slice)) RETURNING created_at
)
SELECT count(*), max(created_at) FROM moved
"""
# Two ranges of the index of each tenant, and nothing in between is read: where all is in order both are empty.
MISPLACED = """
SELECT DISTINCT tenant.id, (misplaced.created_at AT TIME ZONE 'UTC')::date
FROM unnest(%(tenants)s::bigint[], %(before)s::timestamptz[], %(since)s::timestamptz[]) AS tenant (id, before, since)
CROSS JOIN LATERAL (
    SELECT created_at FROM {leaf}
    WHERE tenant_id = tenant.id AND created_at >= tenant.before AND created_at < tenant.since
    UNION ALL
    SELECT created_at FROM {leaf}
    WHERE tenant_id = tenant.id AND created_at >= greatest(tenant.before, tenant.since + interval '1 day')
) AS misplaced ORDER BY 1, 2
"""


def plan(scope: Scope) -> list[Line]:
    """What content is due, by tenant."""
    return CONTENT.plan(scope)


def steps(work: Work) -> Steps:
    """Removes what was planned, and puts everything else where it belongs."""
    cutoffs = CONTENT.cutoffs(Scope(as_of=work.as_of))
    for hold in holds.in_force():
        if hold.tenant_id in cutoffs:
            yield from mark(hold, before=cutoffs[hold.tenant_id])
    yield from _redate(work.as_of)
    yield from _drop(work, cutoffs)
    yield from _delete(work, cutoffs)


def mark(hold: LegalHold, *, before: datetime = END) -> Steps:
    """Sets apart what a hold covers, of what was written before then."""
    which = sql.SQL("{} AND {}").format(_named(hold), CONTENT.covered)
    change = sql.SQL("held = true")
    for leaf in leaves(PARENT):
        yield from _move(leaf, hold.tenant_id, which=which, change=change, before=before)


def release(tenant_id: int, as_of: date) -> Steps:
    """Puts back what no hold covers any more, except what is due: the next purge removes that where it lies."""
    days = rules(Class.CONTENT).of(tenant_id).days
    right = sql.SQL("held = false, expires_on = (created_at AT TIME ZONE 'UTC')::date + {}").format(days + 1)
    which = sql.SQL("NOT {}").format(CONTENT.covered)
    yield from _move(APART, tenant_id, which=which, change=right, after=cutoff(as_of, days))


def day_of(leaf: str) -> date | None:
    """The day on which the rows of a partition are due; None of the default one."""
    digits = leaf.removeprefix(f"{PARENT}_")
    return datetime.strptime(digits, "%Y%m%d").date() if digits.isdecimal() else None


def _drop(work: Work, cutoffs: Mapping[int, datetime]) -> Steps:
    for leaf in leaves(PARENT):
        day = day_of(leaf)
        if day and day <= work.as_of and partitions.is_all_due(CONTENT, leaf, cutoffs):
            yield partial(partitions.drop, CONTENT, parent=PARENT, leaf=leaf, cutoffs=cutoffs, work=work)


def _delete(work: Work, cutoffs: Mapping[int, datetime]) -> Steps:
    """What lies where it cannot be dropped with its partition."""
    for leaf in (*leaves(PARENT), APART):
        for pk in CONTENT.tenants(leaf):
            if pk in cutoffs:
                yield from delete_slices(CONTENT, leaf, pk, before=cutoffs[pk], work=work)


def _redate(as_of: date) -> Steps:
    """Moves what is not due and lies on a day that is not its own."""
    found = rules(Class.CONTENT)
    for leaf in leaves(PARENT):
        for pk, written in _misplaced(leaf, as_of, found):
            right, since = due_on(written, found.of(pk).days), cutoff(written, 0)
            yield partial(_make_partition, right)
            change = sql.SQL("expires_on = {}").format(right)
            yield from _move(leaf, pk, change=change, after=since, before=since + timedelta(days=1))


def _misplaced(leaf: str, as_of: date, found: Rules) -> list[tuple[int, date]]:
    """By tenant, the days on which rows were written that are not due on the partition's day, nor due at all."""
    day, tenants = day_of(leaf), CONTENT.tenants(leaf)
    if day is None or not tenants:
        return []
    days = [found.of(pk).days for pk in tenants]
    values = {
        "tenants": tenants,
        "before": [cutoff(as_of, each) for each in days],
        "since": [cutoff(day, each + 1) for each in days],
    }
    return fetch(sql.SQL(MISPLACED).format(leaf=sql.Identifier(leaf)), values)


def _move(
    leaf: str,
    tenant_id: int,
    *,
    change: sql.Composable,
    which: sql.Composable = EVERY,
    after: datetime = BEGINNING,
    before: datetime = END,
) -> Steps:
    """Changes rows of one partition in slices, so that they move to another."""
    text = sql.SQL(MOVE).format(leaf=sql.Identifier(leaf), which=which, change=change, here=_here(leaf))

    def step() -> Done:
        nonlocal after
        values = {"tenant": tenant_id, "after": after, "before": before, "most": SLICE}
        ((rows, until),) = fetch(text, values)
        after = until or before
        return Done(moved=rows)

    while (yield step).moved:
        pass


def _here(leaf: str) -> sql.Composable:
    """The condition that leaves only one partition to look at."""
    day = day_of(leaf)
    if day:
        return sql.SQL("NOT held AND expires_on = {}").format(day)
    return sql.SQL("held" if leaf == APART else "NOT held")


def _named(hold: LegalHold) -> sql.Composable:
    """What follows from a hold and has an index: without it the rows of one person are looked for among all."""
    return sql.SQL("t.surrogate = {}").format(hold.surrogate) if hold.surrogate else EVERY


def _make_partition(day: date) -> Done:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(partitions.PATIENCE))
        cursor.execute("SELECT make_transcript_partition(%s)", [day])
    return Done()
