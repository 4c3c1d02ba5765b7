"""What happens too often to be put on record one by one: refusals, failed sign-ins, reading of the log itself.

Counted by minute (UTC) in `AuditTally`, one row for all that is alike, so that a flood costs no more rows than a drip.
When a minute is over, its rows become audit events: in the transaction that deletes them, so each exactly once,
whichever worker does it and wherever one is killed. What is counted later still for a minute becomes a further event.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files

from django.db import connection, transaction

from compliance import audit, guard
from compliance.contracts import Actor, Target
from compliance.models import AuditTally
from compliance.networks import OTHERS

MOST_NETWORKS = 50
GRACE_S = 15
"""For usage records that are on their way: they reach the main database two to three seconds after the request."""
SLICE = 500

COUNT = files("compliance").joinpath("sql", "count_tallies.sql").read_text(encoding="utf-8")
OVER = """
DELETE FROM compliance_audittally WHERE id IN (
    SELECT id FROM compliance_audittally
    WHERE minute < statement_timestamp() - make_interval(mins => 1, secs => %s)
    ORDER BY minute, id LIMIT %s FOR UPDATE SKIP LOCKED
) RETURNING *
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Something to be counted: `count` times at `at` (None: now). `seen` is what may vary; ten of a row are kept."""

    action: str
    by: Actor
    target: Target
    outcome: str
    tenant_id: int | None = None
    reason: str = ""
    place: str = ""
    seen: str = ""
    count: int = 1
    at: datetime | None = None


@transaction.atomic
def count(*, occurrences: Sequence[Occurrence]) -> None:
    """Adds to the counts of their minutes. Beyond `MOST_NETWORKS` networks in a minute, further ones count together."""
    if not occurrences:
        return
    values: dict[str, str | int] = {
        "occurrences": json.dumps([_values(one) for one in occurrences]),
        "most_networks": MOST_NETWORKS,
        "others": OTHERS,
    }
    with guard.lifted("count"), connection.cursor() as cursor:
        cursor.execute(COUNT, values)


def put_on_record() -> int:
    """Makes audit events of all minutes that are over, slice by slice; returns how many."""
    total = written = _slice()
    while written == SLICE:
        written = _slice()
        total += written
    return total


@transaction.atomic
def _slice() -> int:
    with guard.lifted("count"):
        over = list(AuditTally.objects.raw(OVER, [GRACE_S, SLICE]))
    for tally in sorted(over, key=lambda tally: (tally.minute, tally.pk)):
        _record(tally)
    return len(over)


def _record(tally: AuditTally) -> None:
    after = {
        "minute": f"{tally.minute.astimezone(UTC):%Y-%m-%dT%H:%MZ}",
        "count": tally.count,
        **({"place": tally.place} if tally.place else {}),
        **({"seen": sorted(tally.seen)} if tally.seen else {}),
    }
    audit.record(
        by=Actor(kind=tally.actor_kind, id=tally.actor_id, request_id=tally.request_id),  # type: ignore[arg-type]
        action=tally.action,
        target=Target(tally.target_kind, tally.target_id),
        tenant_id=tally.tenant_id,
        after=after,
        reason=tally.reason,
        outcome=tally.outcome,
    )


def _values(one: Occurrence) -> dict[str, object]:
    values = asdict(one)
    by, target = values.pop("by"), values.pop("target")
    return {
        **values,
        "actor_kind": by["kind"],
        "actor_id": by["id"],
        "target_kind": target["kind"],
        "target_id": target["id"],
        "request_id": by["request_id"],
        "at": one.at.isoformat() if one.at else None,
    }
