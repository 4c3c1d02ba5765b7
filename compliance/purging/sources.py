"""Partitioned tables whose rows are due by their age: what is due, what holds keep of it, and deleting it in slices.

A row is due when its tenant's rule says so and no hold in force covers it, wherever it lies. Partitions only make
removing it cheap.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection
from psycopg import sql

from compliance import holds
from compliance.purgers import Done, Line, Scope, Steps, Work
from compliance.registry import Class
from compliance.retention import Rules, rules
from compliance.retention_rules import cutoff

BEGINNING, END = (datetime(year, 1, 1, tzinfo=UTC) for year in (1, 9999))
SLICE = 5_000
"""Rows that one transaction deletes or moves."""

# One after the other, from the index: reading every row to learn of some tenants would take minutes.
TENANTS = """
WITH RECURSIVE tenants (id) AS (
    (SELECT tenant_id FROM {table} ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM {table} WHERE tenant_id > tenants.id ORDER BY tenant_id LIMIT 1)
    FROM tenants WHERE tenants.id IS NOT NULL
)
SELECT id, {newest} FROM tenants WHERE id IS NOT NULL
"""
NEWEST = "(SELECT max({at}) FROM {table} WHERE tenant_id = tenants.id)"
DUE = """
SELECT due.tenant_id, found.removable, found.oldest, found.held
FROM unnest(%(tenants)s::bigint[], %(cutoffs)s::timestamptz[]) AS due (tenant_id, before)
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT {covered}) AS removable, min(t.{at}) FILTER (WHERE NOT {covered}) AS oldest,
           count(*) FILTER (WHERE {covered}) AS held
    FROM {table} t WHERE t.tenant_id = due.tenant_id AND t.{at} < due.before
) AS found
WHERE found.removable > 0 OR found.held > 0
ORDER BY due.tenant_id
"""
HELD = """
SELECT hold.tenant_id, hold.id, found.rows
FROM unnest(%(tenants)s::bigint[], %(cutoffs)s::timestamptz[]) AS due (tenant_id, before)
JOIN compliance_legalhold hold ON hold.tenant_id = due.tenant_id AND hold.state IN ('active', 'release_requested')
CROSS JOIN LATERAL (
    SELECT count(*) AS rows FROM {table} t
    WHERE t.tenant_id = due.tenant_id AND t.{at} < due.before AND hold_covers(hold, {values})
) AS found
WHERE found.rows > 0
ORDER BY hold.id
"""
# The same condition as is_held(), written out: a call for each row would take ten times as long.
COVERED = """EXISTS (
    SELECT FROM compliance_legalhold hold WHERE hold.tenant_id = t.tenant_id
    AND hold.state IN ('active', 'release_requested') AND hold_covers(hold, {values}))"""
NOT_COVERED = "false"
ANY_COVERED = """
SELECT EXISTS (
    SELECT FROM {leaf} t JOIN compliance_legalhold hold ON hold.tenant_id = t.tenant_id
    WHERE hold.state IN ('active', 'release_requested') AND hold_covers(hold, {values}))
"""
DELETE = """
WITH slice AS (
    SELECT t.ctid FROM {leaf} t
    WHERE t.tenant_id = %(tenant)s AND t.{at} >= %(after)s AND t.{at} < %(before)s AND NOT {covered}
    ORDER BY t.{at} LIMIT %(most)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM {leaf} WHERE ctid = ANY (ARRAY(SELECT ctid FROM slice)) RETURNING {at}
)
SELECT count(*), max({at}) FROM gone
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table with a `tenant_id`; `at` is when a row was written, `values` are its arguments for `hold_covers`."""

    table: str
    at: str
    values: str
    keeps: Class

    def tenants(self, table: str | None = None) -> list[int]:
        """Those that have rows, in the whole table or in one partition."""
        text = self._text(TENANTS, table=table or self.table, newest=sql.SQL("NULL"))
        return [pk for pk, _ in fetch(text)]

    def newest(self, leaf: str) -> dict[int, datetime]:
        """For each tenant with rows in a partition, when the newest of them was written."""
        return dict(fetch(self._text(TENANTS, table=leaf, newest=self._text(NEWEST, table=leaf))))

    def cutoffs(self, scope: Scope, among: Iterable[int] | None = None) -> dict[int, datetime]:
        """For each tenant with rows, before when a row must have been written to be due."""
        found: Rules = rules(self.keeps, edited=scope.edited)
        tenants = self.tenants() if among is None else among
        return {
            pk: cutoff(scope.as_of, found.of(pk).days)
            for pk in tenants
            if scope.tenant_id is None or pk == scope.tenant_id
        }

    def plan(self, scope: Scope) -> list[Line]:
        """What is due of each tenant, and what holds keep of it."""
        found = rules(self.keeps, edited=scope.edited)
        cutoffs = self.cutoffs(scope)
        with_holds = set(holds.in_force().values_list("tenant_id", flat=True))
        held = self._held({pk: before for pk, before in cutoffs.items() if pk in with_holds})
        return [
            Line(
                store=self.table,
                tenant_id=pk,
                rows=rows,
                oldest=_day(oldest),
                why=found.of(pk).why,
                held_rows=held_rows,
                held=held.get(pk, {}),
            )
            for part in (with_holds, cutoffs.keys() - with_holds)
            for pk, rows, oldest, held_rows in self._due(
                {pk: before for pk, before in cutoffs.items() if pk in part}, is_any_held=part is with_holds
            )
        ]

    def delete(
        self, leaf: str, *, tenant_id: int, after: datetime, before: datetime, most: int
    ) -> tuple[int, datetime]:
        """Deletes a slice of what is due in one partition, oldest first; returns how many, and up to when."""
        text = self._text(DELETE, leaf=leaf, covered=self.covered)
        values = {"tenant": tenant_id, "after": after, "before": before, "most": min(most, SLICE)}
        ((rows, until),) = fetch(text, values)
        return rows, until or before

    def are_any_covered(self, leaf: str) -> bool:
        """Whether a hold in force covers a row of a partition. Of tenants without holds not one row is read."""
        ((is_any,),) = fetch(self._text(ANY_COVERED, leaf=leaf))
        return bool(is_any)

    @property
    def covered(self) -> sql.Composable:
        return sql.SQL(COVERED.format(values=self.values))

    def _due(self, cutoffs: Mapping[int, datetime], *, is_any_held: bool) -> list[tuple[int, int, datetime, int]]:
        covered = self.covered if is_any_held else sql.SQL(NOT_COVERED)
        return fetch(self._text(DUE, covered=covered), _arrays(cutoffs)) if cutoffs else []

    def _held(self, cutoffs: Mapping[int, datetime]) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {}
        for tenant_id, hold, rows in fetch(self._text(HELD), _arrays(cutoffs)) if cutoffs else ():
            found.setdefault(tenant_id, {})[hold] = rows
        return found

    def _text(self, text: str, **parts: str | sql.Composable) -> sql.Composed:
        named = {"table": self.table, **parts}
        return sql.SQL(text).format(
            at=sql.Identifier(self.at),
            values=sql.SQL(self.values),
            **{name: sql.Identifier(part) if isinstance(part, str) else part for name, part in named.items()},
        )


def delete_slices(source: Source, leaf: str, tenant_id: int, *, before: datetime, work: Work) -> Steps:
    """Deletes what is due of a tenant in one partition, as far as it was planned."""
    after = BEGINNING

    def step() -> Done:
        nonlocal after
        most = work.left[tenant_id]
        rows, after = source.delete(leaf, tenant_id=tenant_id, after=after, before=before, most=most)
        return Done({tenant_id: rows}, how=f"deleted from {leaf}")

    while work.left.get(tenant_id, 0) > 0:
        done = yield step
        if not done.removed.get(tenant_id):
            return


def leaves(table: str) -> list[str]:
    """The partitions of a table that hold rows themselves."""
    text = "SELECT relid::text FROM pg_partition_tree(%(table)s::regclass) WHERE isleaf ORDER BY relid::text"
    return [name for (name,) in fetch(text, {"table": table})]


def _day(moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() if moment else None


def _arrays(cutoffs: Mapping[int, datetime]) -> dict[str, list[int] | list[datetime]]:
    return {"tenants": list(cutoffs), "cutoffs": list(cutoffs.values())}


def fetch(text: str | sql.Composable, values: Mapping[str, Any] | None = None) -> list[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        rows: list[tuple] = cursor.fetchall()  # type: ignore[type-arg]
        return rows
