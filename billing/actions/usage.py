"""Carries usage records from the ledger's outbox into the main database's partitioned table.

Main first, then the outbox: a crash in between leaves records in both, and the next run finds them inserted and only
deletes them. The statement that inserts records also adds to the rollups what it did insert, and nothing else, and the
refusals among it to what the audit log is told of: so every record is counted exactly once. The ledger is touched by
single statements alone, so nothing ever waits for it inside a transaction.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any, NamedTuple

import structlog
from django.db import DatabaseError, DataError, IntegrityError, connection, connections, transaction
from django.utils import timezone

from billing import partitions, rolling_up
from compliance import guard

LEDGER = "ledger"
SLICE = 5000
MONTHS_AHEAD = 3

INSERT = files("billing").joinpath("sql", "move_usage.sql").read_text(encoding="utf-8")
ADD = rolling_up.adding(INSERT)
MOVE = rolling_up.moving(INSERT)
SET_ASIDE = """
INSERT INTO usage_rejected (seq, record, error)
SELECT seq, record, %s FROM usage_outbox WHERE seq = %s
ON CONFLICT DO NOTHING
"""

log = structlog.get_logger()


class Entry(NamedTuple):
    """A row of the outbox; `record` is its JSON text."""

    seq: int
    at: str | None
    record: str


class Poison(ValueError):
    """A record that can never be inserted."""


def empty_outbox() -> int:
    """Moves slice after slice until one is not full; returns how many records left the outbox."""
    total = moved = move_usage()
    while moved == SLICE:
        moved = move_usage()
        total += moved
    return total


def move_usage(*, most: int = SLICE) -> int:
    """Moves the oldest `most` records; returns how many left the outbox, 0 also while another mover is at work.

    What the main database refuses is set aside in `usage_rejected`, and does not hold up the rest.
    """
    with transaction.atomic():
        if not rolling_up.take_turn():
            return 0
        entries = _oldest(most)
        rejected = _insert(entries) if entries else {}
    _set_aside(rejected)
    _delete([entry.seq for entry in entries])
    return len(entries)


def insert_records(*, records: Sequence[Mapping[str, Any]]) -> None:
    """Inserts and counts records that do not come from the ledger, as those of the demo; those there are stay."""
    with transaction.atomic():
        rolling_up.await_turn()
        partitions.ensure({record["at"].astimezone(UTC).date() for record in records})
        with connection.cursor() as cursor:
            cursor.execute(ADD, [json.dumps(records, default=str)])


def make_partitions() -> list[str]:
    """Makes the usage partitions of this month and the next three; returns the names of those that were missing."""
    return partitions.ensure(partitions.ahead(today=timezone.now().astimezone(UTC).date(), count=MONTHS_AHEAD))


def _oldest(most: int) -> list[Entry]:
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(
            "SELECT seq, record ->> 'at', record::text FROM usage_outbox ORDER BY seq LIMIT %s",
            [most],
        )
        return [Entry(*row) for row in cursor.fetchall()]


def _insert(entries: Sequence[Entry]) -> dict[int, str]:
    """Inserts `entries`; returns why not, by seq. One that fails is found by halving, so one costs log2(n) tries."""
    try:
        with transaction.atomic():
            partitions.ensure({_day(entry) for entry in entries})
            _insert_all(entries)
    except (DataError, IntegrityError, Poison) as error:
        if len(entries) == 1:
            return {entries[0].seq: _reason(error)}
        middle = len(entries) // 2
        return _insert(entries[:middle]) | _insert(entries[middle:])
    return {}


def _day(entry: Entry) -> date:
    """The day of a record, in UTC.

    Raises:
        Poison: it names none, or none that could be true.
    """
    try:
        at = datetime.fromisoformat(entry.at or "").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Poison(f"at is no time: {entry.at!r}") from error
    if not 2020 <= at.year <= timezone.now().year + 1:
        raise Poison(f"at is out of range: {entry.at!r}")
    return at.date()


def _insert_all(entries: Sequence[Entry]) -> None:
    records = "[" + ",".join(entry.record for entry in entries) + "]"
    with guard.lifted("count"), connection.cursor() as cursor:  # refusals of a minute add up for the audit log
        cursor.execute(MOVE, [records])


def _reason(error: DatabaseError | Poison) -> str:
    """The first line only: what follows quotes the failing row."""
    return str(error).partition("\n")[0]


def _set_aside(rejected: dict[int, str]) -> None:
    for seq, reason in rejected.items():
        with connections[LEDGER].cursor() as cursor:
            cursor.execute(SET_ASIDE, [reason, seq])
        log.error("usage record set aside", error=reason, count=1)


def _delete(seqs: list[int]) -> None:
    with connections[LEDGER].cursor() as cursor:
        cursor.execute("DELETE FROM usage_outbox WHERE seq = ANY (%s)", [seqs])
