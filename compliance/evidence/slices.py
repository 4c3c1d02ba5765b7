"""Verifies a slice of one log: each place has its event, and each event is what was sealed there.

Needs a connection only, so that other processes can take slices, too (`pool.py`).
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import django.db
import psycopg

from compliance.evidence import leaves
from compliance.evidence.findings import Finding

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Runs one query in a transaction of its own and returns all rows."""
SLICE = 8192
"""Events of one slice: a multiple of 256, so that slices begin and end with tiles."""
PER_TILE = 256
HASH = 32
UNSALTED = leaves.UNSALTED_VERSION

COLUMNS = (
    *("id", "occurred_at", "tenant_id", "actor_kind", "actor_id", "action", "target_kind", "target_id", "outcome"),
    *("reason", "before", "after", "request_id", "ip", "user_agent", "version", "salts", "redacted", "subjects"),
)
# Whatever a connection makes of these types; an address as PostgreSQL writes it, without the mask of a single one.
# Times that no datetime can be are none.
READ = {
    **{name: f"e.{name}::text" for name in ("before", "after", "redacted")},
    "ip": "format('%%s', e.ip)",
    "occurred_at": "CASE WHEN e.occurred_at BETWEEN '0002-01-01' AND '9999-01-01' THEN e.occurred_at END",
}
# OFFSET 0 has each event looked up by its number; the planner would rather read the whole table for a slice of a log.
EVENTS = f"""
SELECT leaf.index, leaf.event_id, {", ".join(READ.get(name, f"e.{name}") for name in COLUMNS)}
FROM compliance_auditleaf leaf
LEFT JOIN LATERAL (SELECT * FROM compliance_auditevent WHERE id = leaf.event_id OFFSET 0) AS e ON true
WHERE leaf.log_id = %s AND leaf.index >= %s AND leaf.index < %s ORDER BY leaf.index
"""  # noqa: S608 - of constants
TILES = """
SELECT index, hashes FROM compliance_audittile
WHERE log_id = %s AND level = 0 AND index >= %s AND index < %s ORDER BY index
"""
PRUNED_TO = "SELECT pruned_to FROM compliance_auditlog WHERE id = %s"
REDACTED = "SELECT id, redacted::text FROM compliance_auditevent WHERE id = ANY(%s)"

UNREADABLE = (
    *(ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError),
    *(psycopg.DataError, django.db.DataError),
)
"""What reading an event raises that nobody here has written."""
_DIGEST = re.compile("[0-9a-f]{64}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log as it was when its verification began."""

    id: int
    origin: str
    tenant_id: int | None
    size: int
    pruned_to: int


@dataclass(slots=True)
class Verified:
    """What became of one slice.

    Args:
        hashes: 32 bytes for each place: as the tiles have it, else as the event gives it, else zeros.
        redacted: of events of which something was destroyed: number, index, which fields.
        explained: which fields of which event redactions say that they destroyed.
        pruned: up to which index prunings say that they removed events, each with its own index.
    """

    first: int
    until: int
    hashes: bytes = b""
    findings: list[Finding] = field(default_factory=list)
    redacted: list[tuple[int, int, frozenset[str]]] = field(default_factory=list)
    explained: list[dict[int, frozenset[str]]] = field(default_factory=list)
    pruned: list[tuple[int, int]] = field(default_factory=list)


def slices_of(log: Log, *, since: int = 0) -> Iterator[tuple[int, int]]:
    """First index and the one behind the last, of each slice from a multiple of 256 on."""
    return ((first, min(first + SLICE, log.size)) for first in range(since, log.size, SLICE))


def verify(log: Log, first: int, until: int, fetch: Fetch) -> Verified:
    """Looks at the places from `first`, a multiple of 256, to before `until`."""
    return _Slice(log, first, until, fetch).verified()


class _Slice:
    def __init__(self, log: Log, first: int, until: int, fetch: Fetch) -> None:
        self._log, self._fetch = log, fetch
        self._found = Verified(first, until)

    def verified(self) -> Verified:
        found, log = self._found, self._log
        sealed = self._sealed()
        own = bytearray(HASH * (found.until - found.first))
        expected = found.first
        for row in self._fetch(EVENTS, (log.id, found.first, found.until)):
            index = row[0]
            self._missing(expected, index)
            expected = index + 1
            if index < log.pruned_to:
                self._add(index, f"Event {row[1]} is where all events were removed.")
            at = HASH * (index - found.first)
            own[at : at + HASH] = self._leaf(row, sealed.get(index // PER_TILE, b""))
        self._missing(expected, found.until)
        self._found.hashes = self._joined(sealed, own)
        return found

    def _sealed(self) -> dict[int, bytes]:
        """The hashes by tile, each as long as it is to be at least; a shorter one says so and is padded by nothing."""
        found = self._found
        last = -(-found.until // PER_TILE)
        rows = self._fetch(TILES, (self._log.id, found.first // PER_TILE, last))
        tiles = {index: bytes(hashes) for index, hashes in rows}
        for tile in range(found.first // PER_TILE, last):
            due = min(PER_TILE, found.until - tile * PER_TILE)
            there = len(tiles.get(tile, b"")) // HASH
            if there < due:
                first, until = tile * PER_TILE + there, tile * PER_TILE + due
                self._add(first, "The hashes that were kept here are gone.", until=until)
        return tiles

    def _leaf(self, row: tuple[Any, ...], tile: bytes) -> bytes:
        """The hash of the event at a place, or zeros where there is none."""
        index, event_id, *values = row
        at = HASH * (index % PER_TILE)
        sealed = tile[at : at + HASH]
        if values[0] is None:
            self._add(index, f"Event {event_id}, which was sealed here, is gone.")
            return bytes(sealed) or bytes(HASH)
        event = dict(zip(COLUMNS, values, strict=True))
        try:
            leaf = self._computed(event, index)
        except UNREADABLE:
            self._add(index, f"Event {event_id} was changed: it cannot be read as an event any more.")
            return bytes(sealed) or bytes(HASH)
        if sealed and leaf != sealed:
            self._add(index, f"Event {event_id} is not what was sealed here: it, its place or its hash was changed.")
        elif sealed:
            self._believe(event, index)
        return leaf

    def _computed(self, event: dict[str, Any], index: int) -> bytes:
        may_name = any("eu_" in event[name] for name in ("before", "after", "target_id", "reason"))
        for name in ("before", "after", "redacted"):
            event[name] = _object(event[name])
        if not all(map(_DIGEST, event["redacted"].values())):
            raise ValueError("a commitment that is none")
        if event["subjects"] or may_name:
            self._names(event, index)
        self._says(event, index)
        return leaves.leaf_of(event)

    def _names(self, event: dict[str, Any], index: int) -> None:
        """No hash covers whom it is said to name. The oldest events do not say it."""
        values = (event["target_id"], event["reason"], *event["before"].values(), *event["after"].values())
        if event["subjects"] != leaves.subjects_in(values) and (event["subjects"] or event["version"] > UNSALTED):
            self._add(index, f"Event {event['id']} says that it names other people than it does.")

    def _says(self, event: dict[str, Any], index: int) -> None:
        """Whether it is in the right log, and whole."""
        if event["tenant_id"] != self._log.tenant_id:
            self._add(index, f"Event {event['id']} is of another tenant than its log.")
        if event["redacted"]:
            self._found.redacted.append((event["id"], index, frozenset(event["redacted"])))

    def _believe(self, event: dict[str, Any], index: int) -> None:
        """What it means for others. Only what is sealed is believed."""
        try:
            if event["action"] == "auditevent.redacted":
                self._explains(event, index)
            elif event["action"] == "auditlog.pruned":
                self._found.pruned.append((index, int(event["after"]["to"])))
        except UNREADABLE:
            self._add(index, f"Event {event['id']} ({event['action']}) does not say what such events say.")

    def _explains(self, event: dict[str, Any], index: int) -> None:
        said = {int(pk): frozenset(names) for pk, names in event["after"]["events"].items()}
        self._found.explained.append(said)
        for pk, redacted in self._fetch(REDACTED, (list(said),)):
            if said[pk] - _object(redacted).keys():
                self._add(index, f"It says that event {pk} was redacted, but something of that is there again.")

    def _joined(self, sealed: dict[int, bytes], own: bytearray) -> bytes:
        found = self._found
        for tile, hashes in sealed.items():
            at = HASH * (tile * PER_TILE - found.first)
            usable = min(len(hashes) // HASH * HASH, len(own) - at)
            own[at : at + usable] = hashes[:usable]
        return bytes(own)

    def _missing(self, first: int, until: int) -> None:
        first = max(first, self._log.pruned_to)
        if first < until and (first := max(first, self._pruned_to_now())) < until:
            self._add(first, "No event has this place in the log any more.", until=until)

    def _pruned_to_now(self) -> int:
        """More events may be removed, rightly, while they are verified."""
        return int(next(iter(self._fetch(PRUNED_TO, (self._log.id,))), (0,))[0])

    def _add(self, index: int, text: str, *, until: int | None = None) -> None:
        self._found.findings.append(Finding(log=self._log.origin, index=index, until=until, text=text))


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError("not an object of JSON")
    return value
