"""Dropping a partition of which every row is due: the same for one row and for millions."""

from collections.abc import Mapping
from datetime import datetime

from django.db import connection
from psycopg import sql

from compliance.errors import PlanChanged
from compliance.purgers import Done, Work
from compliance.purging.sources import Source, fetch

PATIENCE = "2s"
"""How long a drop waits for those who use the table; who comes after them waits behind it."""
COUNT = "SELECT tenant_id, count(*), max({at}) FROM {leaf} GROUP BY tenant_id"


def is_all_due(source: Source, leaf: str, cutoffs: Mapping[int, datetime]) -> bool:
    """Whether every row of a partition is due and none is held, as far as one sees without a lock."""
    return all(pk in cutoffs and newest < cutoffs[pk] for pk, newest in source.newest(leaf).items()) and (
        not source.are_any_covered(leaf)
    )


def drop(source: Source, *, parent: str, leaf: str, cutoffs: Mapping[int, datetime], work: Work) -> Done:
    """Drops a partition, after a look under a lock that keeps everybody out. Where a row came in meanwhile that is not
    due, nothing is dropped.

    With `make_…_partition`, which locks the default partition before the parent, this can end in a deadlock: either is
    then told so, and comes back.

    Raises:
        PlanChanged: it holds more than was planned.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(PATIENCE)))
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(parent)))
    rows = fetch(_text(COUNT, source, leaf))
    if any(pk not in cutoffs or newest >= cutoffs[pk] for pk, _, newest in rows) or source.are_any_covered(leaf):
        return Done()
    for pk, count, _ in rows:
        if count > work.left.get(pk, 0):
            raise PlanChanged("More is due than the plan has counted. Look again.")
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(leaf)))
    return Done({pk: count for pk, count, _ in rows}, how=f"partition {leaf} dropped")


def _text(text: str, source: Source, leaf: str) -> sql.Composed:
    return sql.SQL(text).format(at=sql.Identifier(source.at), leaf=sql.Identifier(leaf))
