"""How far behind streams are."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from compliance.models import AuditEvent, AuditLeaf, AuditLog, SiemCursor, SiemStream


def waiting(streams: Sequence[SiemStream]) -> dict[int, int]:
    """Events that each stream has yet to deliver (stream's id → count), in two queries for all of them."""
    logs = list(AuditLog.objects.values_list("pk", "tenant_id", "size"))
    known = {
        (stream_id, log_id): position
        for stream_id, log_id, position in SiemCursor.objects.filter(stream__in=streams).values_list(
            "stream_id", "log_id", "position"
        )
    }
    return {
        stream.pk: sum(
            max(size - known.get((stream.pk, log_id), 0), 0)
            for log_id, tenant_id, size in logs
            if stream.scope == SiemStream.Scope.ALL or stream.tenant_id == tenant_id
        )
        for stream in streams
    }


def due() -> list[int]:
    """The streams that may have something to deliver now."""
    ready = Q(progress__next_at=None) | Q(progress__next_at__lte=timezone.now())
    return list(SiemStream.objects.filter(ready, state=SiemStream.State.ACTIVE).values_list("pk", flat=True))


def oldest(stream: SiemStream) -> datetime | None:
    """When the first event happened that is yet to be delivered."""
    known = dict(stream.cursors.values_list("log_id", "position"))
    logs = AuditLog.objects.all()
    if stream.scope != SiemStream.Scope.ALL:
        logs = logs.filter(tenant_id=stream.tenant_id)
    places = [
        AuditLeaf.objects.filter(log=log, index=max(known.get(log.pk, 0), log.pruned_to)).values("event_id")
        for log in logs
        if log.size > known.get(log.pk, 0)
    ]
    moments = [
        moment
        for place in places[:50]
        for moment in AuditEvent.objects.filter(pk__in=place).values_list("occurred_at", flat=True)
    ]
    return min(moments, default=None)
