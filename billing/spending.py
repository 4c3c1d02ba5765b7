"""What tenants have spent in spans of time, by the rollups.

A span begins with an hour (or a quarter of one, where the tenant's days do), and ends with one, or with the present.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

SPENT = """
SELECT coalesce(sum(rollup.cost_nano), 0)::bigint
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) WITH ORDINALITY AS span (tenant, starts, ends, ord)
LEFT JOIN billing_usagehour AS rollup
    ON rollup.tenant_id = span.tenant AND rollup.hour >= span.starts AND rollup.hour < span.ends
GROUP BY span.ord ORDER BY span.ord
"""


@dataclass(frozen=True, slots=True)
class Span:
    """A tenant's time, the end exclusive."""

    tenant_id: int
    start: datetime
    end: datetime


def spent(spans: Sequence[Span]) -> list[int]:
    """Nano-dollars for each of `spans`, in their order."""
    if not spans:
        return []
    columns = [list(column) for column in zip(*((s.tenant_id, s.start, s.end) for s in spans), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(SPENT, columns)
        return [row[0] for row in cursor.fetchall()]
