"""Synthetic usage, to see how an installation answers when it has much."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files

from django.db import connection, transaction

from accounts.models import ApiKey
from billing import partitions, rolling_up
from billing.errors import NoKeys, RealUsage
from billing.models import UsageRecord
from compliance import audit
from compliance.contracts import Actor, Target

SEED = rolling_up.adding(files("billing").joinpath("sql", "seed_usage.sql").read_text(encoding="utf-8"))
SEEDED = "seeded-"
"""What the names of synthetic models begin with."""
AT_ONCE = 50_000
"""Records of one transaction."""

Progress = Callable[[int], None]
"""Told how many records there are so far."""


def seed_usage(
    *, rows: int, start: date, end: date, mix: bool, by: Actor, progress: Progress = lambda done: None
) -> int:
    """Makes `rows` records on those days (UTC), `end` exclusive, for the keys there are; returns how many.

    In slices, each of which is counted in the rollups by its own transaction. They charge no budget.

    Raises:
        RealUsage: there is some, and not `mix`.
        NoKeys: there is nobody to use anything.
    """
    if not mix and _has_real_usage():
        raise RealUsage
    keys = list(ApiKey.objects.order_by("pk").values_list("pk", flat=True))
    if not keys:
        raise NoKeys
    days, done = (end - start).days, 0
    for number in range(days):
        wanted = rows * (number + 1) // days
        while done < wanted:
            done += _seed_slice(start + timedelta(days=number), min(wanted - done, AT_ONCE), keys)
            progress(done)
    _tell(rows=done, start=start, end=end, by=by)
    return done


def _has_real_usage() -> bool:
    """Whether there is a record that was not made here. Looked for among the newest and the oldest alone."""
    newest = UsageRecord.objects.order_by("-at").values_list("model", flat=True)[:1000]
    oldest = UsageRecord.objects.order_by("at").values_list("model", flat=True)[:1000]
    return any(not model.startswith(SEEDED) for model in (*newest, *oldest))


@transaction.atomic
def _seed_slice(day: date, count: int, keys: Sequence[int]) -> int:
    rolling_up.await_turn()
    partitions.ensure({day})
    with connection.cursor() as cursor:
        cursor.execute(SEED, {"start": datetime.combine(day, time(), UTC), "count": count, "keys": [*keys]})
        return int(cursor.fetchone()[0])


@transaction.atomic
def _tell(*, rows: int, start: date, end: date, by: Actor) -> None:
    audit.record(
        by=by,
        action="usage.seeded",
        target=Target(kind="usage", id="seeded"),
        tenant_id=None,
        after={"rows": rows, "start": start.isoformat(), "end": end.isoformat()},
    )
