"""What is read of the audit log: events, the place of each in its log, and proofs; nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from compliance.evidence import leaves, tree
from compliance.evidence.leaves import MalformedEvent
from compliance.evidence.proofs import Proofs
from compliance.evidence.tiles import TileMissing
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which events. None and empty: whatever. `since` is included, `until` is not."""

    tenant_id: int | None = None
    actor_kind: str = ""
    actor_id: str = ""
    action: str = ""
    target_kind: str = ""
    target_id: str = ""
    outcome: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an event is in its log. Without a checkpoint over it, it has not been signed yet."""

    log: AuditLog
    index: int
    checkpoint: AuditCheckpoint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That an event is in its log as a checkpoint signs it: RFC 9162, 2.1.3. `holds` is what this computer finds."""

    place: Place
    checkpoint: AuditCheckpoint
    leaf: bytes
    hashes: Sequence[bytes]
    holds: bool


class ProofMissing(LookupError):
    """The log does not have the hashes, or the event is none that could have been written: it was tampered with."""


def events(asked: Asked) -> QuerySet[AuditEvent]:
    """The events, the newest first. Each filter has an index (`AuditEvent.Meta`)."""
    rows = AuditEvent.objects.order_by("-id")
    for name in ("actor_kind", "actor_id", "action", "target_kind", "target_id", "outcome", "request_id", "tenant_id"):
        if value := getattr(asked, name):
            rows = rows.filter(**{name: value})
    if asked.since:
        rows = rows.filter(occurred_at__gte=asked.since)
    if asked.until:
        rows = rows.filter(occurred_at__lt=asked.until)
    return rows


def place_of(event_id: int) -> Place | None:
    """Where an event is; None until the sequencer has taken it."""
    leaf = AuditLeaf.objects.select_related("log").filter(event_id=event_id).first()
    if leaf is None:
        return None
    over = AuditCheckpoint.objects.filter(log=leaf.log, size__gt=leaf.index).order_by("size").first()
    return Place(log=leaf.log, index=leaf.index, checkpoint=over)


def proof_of(event: AuditEvent, *, checkpoint: AuditCheckpoint | None = None) -> Proof | None:
    """The proof that the event is in its log, by its first checkpoint or a later one; None while there is none.

    Raises:
        ProofMissing: it cannot be made.
    """
    place = place_of(event.pk)
    over = checkpoint or (place.checkpoint if place else None)
    if place is None or over is None:
        return None
    try:
        leaf = leaves.leaf_of({name: getattr(event, name) for name in leaves.COLUMNS})
        hashes = Proofs(place.log, over.size).inclusion(place.index)
    except (TileMissing, MalformedEvent, ValueError) as error:
        raise ProofMissing(str(error)) from error
    holds = tree.verify_inclusion(place.index, over.size, leaf, hashes, bytes(over.root))
    return Proof(place=place, checkpoint=over, leaf=leaf, hashes=hashes, holds=holds)


def log_of(tenant_id: int | None) -> AuditLog | None:
    """A tenant's log, or the platform's; None before its first event was sequenced."""
    return AuditLog.objects.filter(tenant_id=tenant_id).first()


def checkpoint_of(log: AuditLog, *, size: int | None = None) -> AuditCheckpoint | None:
    """The checkpoint of that size, or the newest."""
    rows = AuditCheckpoint.objects.filter(log=log).order_by("-size")
    return rows.first() if size is None else rows.filter(size=size).first()


def consistency(old: AuditCheckpoint, new: AuditCheckpoint) -> list[bytes]:
    """The hashes that prove that the log of `old` is how that of `new` began: RFC 9162, 2.1.4.

    Raises:
        ProofMissing: it cannot be made.
    """
    try:
        return Proofs(new.log, new.size).consistency(old.size)
    except (TileMissing, ValueError) as error:
        raise ProofMissing(str(error)) from error
