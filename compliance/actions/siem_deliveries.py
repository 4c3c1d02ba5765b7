"""Delivers the audit log to its receivers: each event at least once, in the order of its log.

A stream has one deliverer at a time, by a lease that ends with its process. What was sent counts once the receiver has
it all; a process that dies in between leaves the position where it was, and the next one sends the same again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from compliance import announcing
from compliance.announcing import Announcement
from compliance.contracts import Actor
from compliance.errors import ComplianceError
from compliance.models import SiemCursor, SiemProgress, SiemStream
from compliance.processes import has_ended, this_process
from compliance.siem import backoff, reading, secrets, transports
from compliance.siem.transports import Destination, NotDelivered

LEASE = timedelta(minutes=2)
"""Longer than the longest attempt; renewed after each batch."""
BATCHES = 50
TOLD_AFTER = timedelta(minutes=15)

random = SystemRandom()
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Lease:
    stream: SiemStream
    process: str
    until: datetime

    def rows(self) -> "models.QuerySet[SiemProgress]":
        return SiemProgress.objects.filter(stream=self.stream, process=self.process, leased_until=self.until)


class _Lost(Exception):
    """Somebody else delivers this stream by now: this process was silent for too long."""


def deliver(*, stream_id: int, by: Actor) -> int:
    """Delivers what waits, batch by batch; returns how many events arrived. Nothing where another one is at it."""
    lease = _take(stream_id)
    if lease is None:
        return 0
    arrived = 0
    try:
        lease, arrived = _deliver(lease)
    except _Lost:
        log.warning("another process delivers this stream", stream=stream_id)
    return arrived


def _deliver(lease: _Lease) -> tuple[_Lease, int]:
    arrived, most = 0, reading.MOST_EVENTS
    try:
        to = secrets.destination_of(lease.stream)
        for _ in range(BATCHES):
            batch = reading.next_batch(lease.stream, most=most) if _is_active(lease.stream) else reading.Batch()
            if not batch.upto:
                break
            try:
                _send(batch, to)
            except NotDelivered as error:
                if not error.is_of_content:
                    raise
                if len(batch.messages) == 1:
                    _fail(lease, str(error), retry_after_s=error.retry_after_s, at=batch.places[0])
                    return lease, arrived
                most = len(batch.messages) // 2
                continue
            lease = _advance(lease, batch)
            arrived += len(batch.messages)
    except NotDelivered as error:
        _fail(lease, str(error), retry_after_s=error.retry_after_s)
    except reading.NotReadable as error:
        log.error("an event cannot be delivered", stream=lease.stream.pk, place=error.place)
        _fail(lease, str(error), at=error.place)
    except ComplianceError as error:  # its secrets cannot be opened
        _fail(lease, str(error))
    except _Lost:
        raise
    except Exception as error:  # what nobody thought of is shown like the rest
        log.error("a SIEM stream fails", stream=lease.stream.pk, error=type(error).__name__)
        _fail(lease, f"an event could not be delivered: {type(error).__name__}")
    else:
        lease.rows().update(leased_until=None, process="")
    return lease, arrived


def _is_active(stream: SiemStream) -> bool:
    """Whether it is there and was not paused since."""
    return SiemStream.objects.filter(pk=stream.pk, state=SiemStream.State.ACTIVE).exists()


def _send(batch: reading.Batch, to: Destination) -> None:
    if batch.messages:
        transports.send(batch.messages, to, inside=settings.SIEM_INSIDE)


@transaction.atomic
def _take(stream_id: int) -> _Lease | None:
    """The lease of a stream that is active and due, unless somebody who lives has it."""
    stream = SiemStream.objects.filter(pk=stream_id, state=SiemStream.State.ACTIVE).first()
    row = SiemProgress.objects.select_for_update(skip_locked=True).filter(stream_id=stream_id).first()
    now = timezone.now()
    if stream is None or row is None or (row.next_at is not None and row.next_at > now):
        return None
    if row.leased_until is not None and row.leased_until > now and not has_ended(row.process):
        return None
    lease = _Lease(stream, this_process(), now + LEASE)
    SiemProgress.objects.filter(pk=row.pk).update(process=lease.process, leased_until=lease.until)
    return lease


@transaction.atomic
def _advance(lease: _Lease, batch: reading.Batch) -> _Lease:
    """Remembers what arrived, and renews the lease.

    Raises:
        _Lost: somebody else has it.
    """
    now = timezone.now()
    was_failing = SiemProgress.objects.filter(stream=lease.stream).exclude(failing_since=None).exists()
    renewed = _Lease(lease.stream, lease.process, now + LEASE)
    kept = lease.rows().update(
        leased_until=renewed.until,
        delivered=F("delivered") + len(batch.messages),
        delivered_at=now,
        failures=0,
        failing_since=None,
        error="",
        next_at=None,
        stuck_log_id=None,
        stuck_index=None,
    )
    if not kept:
        raise _Lost
    cursors = [SiemCursor(stream=lease.stream, log_id=log_id, position=at) for log_id, at in batch.upto.items()]
    SiemCursor.objects.bulk_create(
        cursors, update_conflicts=True, unique_fields=("stream", "log"), update_fields=("position",)
    )
    if was_failing:
        announcing.is_over(kind="siem_failing", tenant_id=None, subject=_subject(lease.stream))
    return renewed


@transaction.atomic
def _fail(lease: _Lease, problem: str, *, retry_after_s: int = 0, at: tuple[int, int] | None = None) -> None:
    """Remembers why, and at which event if it is for one; waits longer each time, and tells people once it lasts."""
    row = lease.rows().select_for_update().first()
    if row is None:
        return
    now = timezone.now()
    row.failures, row.error, row.failing_since = row.failures + 1, problem[:300], row.failing_since or now
    row.next_at = now + backoff.wait_after(row.failures, random=random, retry_after_s=retry_after_s)
    row.process, row.leased_until = "", None
    row.stuck_log_id, row.stuck_index = at or (None, None)
    row.save(force_update=True)
    if now - row.failing_since >= TOLD_AFTER:
        announcing.announce(_announcement(lease.stream, row))


def _announcement(stream: SiemStream, row: SiemProgress) -> Announcement:
    since = f"{row.failing_since:%Y-%m-%d %H:%M} UTC"
    return Announcement(
        kind="siem_failing",
        tenant_id=None,
        subject=_subject(stream),
        label=f"the SIEM stream {stream}",
        facts={"since": since, "problem": row.error, "failures": row.failures},
    )


def _subject(stream: SiemStream) -> str:
    return f"siemstream {stream.pk}"
