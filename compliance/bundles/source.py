"""Reads a log for an export: window by window, each in short queries of its own, so that memory stays small and no
snapshot stays open."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from compliance.bundles.filters import Filters
from compliance.errors import ActionRefused
from compliance.evidence import leaves
from compliance.evidence.withholding import withheld
from compliance.models import AuditEvent, AuditLeaf, AuditLog, AuditTile

PER_TILE, HASH = 256, 32
WINDOW = 8 * PER_TILE
"""Places of the log that are read at once: a multiple of 256, so that windows begin with tiles."""
COLUMNS = (
    *("id", "occurred_at", "tenant_id", "actor_kind", "actor_id", "action", "target_kind", "target_id", "outcome"),
    *("reason", "before", "after", "request_id", "ip", "user_agent", "version", "salts", "redacted", "subjects"),
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One event at its place, with all that its leaf is made of; hashes and salts in hex."""

    index: int
    leaf: str
    fields: dict[str, Any]
    salts: str
    redacted: dict[str, str]
    subjects: list[str]


@dataclass(slots=True)
class Window:
    """What was found at the places from `first` to before `until`: events, and hashes of events that were pruned."""

    first: int
    until: int
    events: list[Sealed] = field(default_factory=list)
    pruned: list[tuple[int, str]] = field(default_factory=list)


def windows(log: AuditLog, *, size: int, filters: Filters, is_for_tenant: bool = False) -> Iterator[Window]:
    """The first `size` places of a log, window by window; of what a tenant is not told, commitments.

    Raises:
        ActionRefused: an event is not there although it was not due to be removed, or cannot be read. `verify_audit`
            says more.
    """
    is_whole = not filters.as_json()
    for first in range(0, size, WINDOW):
        window = Window(first, min(first + WINDOW, size))
        _fill(window, log, filters, is_whole=is_whole)
        if is_for_tenant:
            window.events = [_told(event) for event in window.events]
        yield window


def _fill(window: Window, log: AuditLog, filters: Filters, *, is_whole: bool) -> None:
    within = AuditLeaf.objects.filter(log=log, index__gte=window.first, index__lt=window.until)
    places = {event_id: index for index, event_id in within.values_list("index", "event_id")}
    found = AuditEvent.objects.filter(filters.condition(), pk__in=list(places)).order_by()
    hashes = _hashes(log, window) if is_whole or found.exists() else b""
    rows = sorted(found.values(*COLUMNS), key=lambda row: places[row["id"]])
    window.events = [_sealed(row, places[row["id"]], _at(hashes, window, places[row["id"]])) for row in rows]
    if is_whole:
        window.pruned = _pruned(window, log, hashes)


def _pruned(window: Window, log: AuditLog, hashes: bytes) -> list[tuple[int, str]]:
    there = {event.index for event in window.events}
    gone = [index for index in range(window.first, window.until) if index not in there]
    if gone:
        log.refresh_from_db(fields=("pruned_to",))  # the purge may go on meanwhile
    for index in gone:
        if index >= log.pruned_to:
            raise ActionRefused(f"The event at index {index} of the log is not there. Run: manage.py verify_audit")
    return [(index, _at(hashes, window, index)) for index in gone]


def _hashes(log: AuditLog, window: Window) -> bytes:
    """The hashes of all leaves of a window, one after the other.

    Raises:
        ActionRefused: some are not there.
    """
    tiles = AuditTile.objects.filter(
        log=log, level=0, index__gte=window.first // PER_TILE, index__lt=-(-window.until // PER_TILE)
    )
    found = dict(tiles.values_list("index", "hashes"))
    joined = b"".join(bytes(found[index]) for index in sorted(found))
    if len(joined) < HASH * (window.until - window.first):
        raise ActionRefused(f"Hashes of the log after index {window.first} are gone. Run: manage.py verify_audit")
    return joined


def _at(hashes: bytes, window: Window, index: int) -> str:
    at = HASH * (index - window.first)
    return hashes[at : at + HASH].hex()


def _sealed(row: dict[str, Any], index: int, leaf: str) -> Sealed:
    return Sealed(
        index=index,
        leaf=leaf,
        fields=leaves.fields_of(row),
        salts=bytes(row["salts"]).hex(),
        redacted=dict(row["redacted"]),
        subjects=list(row["subjects"]),
    )


def _told(event: Sealed) -> Sealed:
    """As much of an event as its tenant is told."""
    try:
        fields, salts, redacted = withheld(event.fields, bytes.fromhex(event.salts), event.redacted)
    except leaves.MalformedEvent as error:
        raise ActionRefused(f"The event at index {event.index} was altered. Run: manage.py verify_audit") from error
    return replace(event, fields=fields, salts=salts.hex(), redacted=redacted)
