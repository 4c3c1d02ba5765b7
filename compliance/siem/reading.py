"""What a stream delivers next: events in the order of their log, from where it stopped.

A log's places are given out in order and in one transaction with its size, so nothing appears behind a place that was
read: a commit that comes late is at a later place, whatever the time of its event.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db.models import QuerySet

from compliance.evidence import leaves
from compliance.evidence.formats import cef, ocsf
from compliance.evidence.formats.rows import Row
from compliance.models import AuditEvent, AuditLeaf, AuditLog, SiemStream
from compliance.siem import syslog

MOST_EVENTS = 1000
MOST_OF_A_LOG = 200
MOST_BYTES = 1_000_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Batch:
    """Messages, and up to where each log is delivered once they have arrived (log's id → position)."""

    messages: list[bytes] = field(default_factory=list)
    upto: dict[int, int] = field(default_factory=dict)
    places: list[tuple[int, int]] = field(default_factory=list)
    """Of each message: its log's id, and its event's place there."""


class NotReadable(Exception):
    """An event of which no message can be made. Its place: the log's id, and the index."""

    def __init__(self, place: tuple[int, int], error: Exception) -> None:
        super().__init__(f"an event cannot be written as a message: {type(error).__name__}")
        self.place = place


def logs_of(stream: SiemStream) -> "QuerySet[AuditLog]":
    """The logs that a stream delivers."""
    if stream.scope == SiemStream.Scope.ALL:
        return AuditLog.objects.all()
    return AuditLog.objects.filter(tenant_id=stream.tenant_id)


def positions(stream: SiemStream) -> dict[int, int]:
    """How much of each log is delivered, of those where anything is."""
    return dict(stream.cursors.values_list("log_id", "position"))


def next_batch(stream: SiemStream, *, most: int = MOST_EVENTS) -> Batch:
    """What comes next, of the logs with the shortest backlog first; empty where nothing waits.

    Raises:
        NotReadable: the first event cannot be made a message. Where others come before it, they are the batch.
    """
    batch, size, known = Batch(), 0, positions(stream)
    waiting = [(each.size - known.get(each.pk, 0), each) for each in logs_of(stream)]
    for backlog, each in sorted(((count, row) for count, row in waiting if count > 0), key=lambda pair: pair[0]):
        room = min(most - len(batch.messages), MOST_OF_A_LOG, backlog)
        if room <= 0 or size >= MOST_BYTES:
            break
        batch.upto[each.pk] = start = max(known.get(each.pk, 0), each.pruned_to)
        for index, values in _rows(each, start, room):
            if values is not None:
                try:
                    message = rendered(_row(each, index, values), stream)
                except Exception as error:
                    if not batch.messages:
                        raise NotReadable((each.pk, index), error) from error
                    return batch
                batch.messages.append(message)
                batch.places.append((each.pk, index))
                size += len(message)
            batch.upto[each.pk] = index + 1
            if size >= MOST_BYTES:
                break
    return batch


def rendered(row: Row, stream: SiemStream) -> bytes:
    """An event as the stream's receiver wants it, without its frame or line end."""
    text = cef.event(row) if stream.format == SiemStream.Format.CEF else _json(row)
    if stream.transport == SiemStream.Transport.HTTPS:
        return text.encode("utf-8", "replace")
    at = row.text("occurred_at")
    return syslog.message(
        text,
        at=datetime.fromisoformat(at) if at else None,
        host=urlsplit(settings.PUBLIC_URL).hostname or gethostname(),
        kind=row.text("action"),
        outcome=row.text("outcome"),
        parameters={
            "log": row.origin,
            "index": "" if row.index is None else str(row.index),
            "event": row.text("id"),
            "action": row.text("action"),
            "outcome": row.text("outcome"),
            "actor": f"{row.text('actor_kind')} {row.text('actor_id')}".strip(),
            "target": f"{row.text('target_kind')} {row.text('target_id')}".strip(),
        },
    )


def _json(row: Row) -> str:
    """In ASCII, so that nothing on the way has to know how texts are encoded."""
    return json.dumps(ocsf.event(row), ensure_ascii=True, separators=(",", ":"))


def _rows(of: AuditLog, start: int, most: int) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Places and their events; None for one that is not there: it is `verify_audit` that says why."""
    places = list(
        AuditLeaf.objects.filter(log=of, index__gte=start, index__lt=of.size)
        .order_by("index")
        .values_list("index", "event_id")[:most]
    )
    events = AuditEvent.objects.filter(pk__in=[event_id for _, event_id in places]).order_by()
    found = {row["id"]: row for row in events.values(*leaves.COLUMNS)}
    for index, event_id in places:
        row = found.get(event_id)
        if row is None:
            log.warning("an event is not there", log=of.origin, index=index)
            yield index, None
        else:
            yield index, row


def _row(of: AuditLog, index: int, row: dict[str, Any]) -> Row:
    redacted = row["redacted"]
    names = tuple(redacted) if isinstance(redacted, dict) else ()
    return Row(fields=leaves.fields_of(row), origin=of.origin, index=index, redacted=names)
