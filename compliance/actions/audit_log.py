"""Gives events their places in their logs, signs what the logs are then, and hands that out of the database.

Sequencing and signing are one: a leaf, its place and the checkpoint over it are committed together, a slice at a time.
So a process that is killed leaves no gap, nothing twice, and nothing that no checkpoint covers.
"""

import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from compliance import announcing, audit_lag, guard, sinks
from compliance.actions.signing_keys import make_signing_key
from compliance.announcing import Announcement
from compliance.contracts import Actor
from compliance.errors import SequencerHeld
from compliance.evidence import leaves, notes, origins, tiles
from compliance.evidence.slices import UNREADABLE
from compliance.evidence.tiles import Edge, Place, TileMissing
from compliance.keyring import signers
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditPending, AuditTile
from compliance.sinks import SinkUnavailable

log = structlog.get_logger(__name__)


class Every(enum.Enum):
    """Says of all logs, tenants' and the platform's."""

    ALL = "all"


ALL: Final = Every.ALL
SLICE = 2000
"""Events that get their places in one transaction: well below a second of work."""
TURN_S = 0.05
TURN_MOST_S = 30.0
"""How long one waits for its turn: others take it for a slice, so for less than a second."""
DELIVERED_AT_ONCE = 500
LATE, HELD = "audit log", "sequencer"
"""What `audit_late` is announced about: events that wait; the lock that somebody holds."""

_WAITING = "SELECT event_id FROM compliance_auditpending WHERE event_id >= %s ORDER BY event_id LIMIT %s"
_WAITING_OF = """
SELECT p.event_id FROM compliance_auditpending p JOIN compliance_auditevent e ON e.id = p.event_id
WHERE p.event_id >= %s AND e.tenant_id IS NOT DISTINCT FROM %s ORDER BY p.event_id LIMIT %s
"""
_TILES = """
SELECT t.log_id, t.level, t.index, t.hashes
FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS w (log_id, level, index)
JOIN compliance_audittile t ON t.log_id = w.log_id AND t.level = w.level AND t.index = w.index
"""
_GROW = """
UPDATE compliance_auditlog AS old SET size = new.size FROM unnest(%s::bigint[], %s::bigint[]) AS new (id, size)
WHERE old.id = new.id
"""


@dataclass(slots=True)
class _Growth:
    """One log's part of a slice: its events, with their leaves, and its edge before and then after them."""

    log: AuditLog
    edge: Edge
    last_note: str
    ids: list[int]
    hashes: list[bytes]


# --- places and signatures -------------------------------------------------------------------------------------------


def checkpoint(*, by: Actor, tenant_id: int | Every | None = ALL) -> list[AuditCheckpoint]:
    """Gives each event that waits its place, and returns the newest checkpoint of each log that grew.

    What was committed before the call is covered afterwards. An event that cannot be one, or whose log's hashes are not
    those that were signed, keeps waiting; `verify_audit` says what is wrong.

    Args:
        tenant_id: a tenant, or None for the platform, where one log alone is wanted.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer. Nothing was done.
        SequencerHeld: it never was this process's turn; that is announced.
    """
    made: dict[int, AuditCheckpoint] = {}
    first = -(2**63)  # no event has such a number, but one that was inserted by hand must not wait unseen
    key: Ed25519PrivateKey | None = None
    waits_since = monotonic()
    while AuditPending.objects.filter(event_id__gte=first).exists():
        key = key or _signing_key(by)
        with transaction.atomic():
            if has_turn := _has_turn():
                if not (waiting := _waiting(tenant_id, first)):
                    break
                made |= {each.log_id: each for each in _sequence(waiting, key)}
                first = waiting[-1] + 1
        if has_turn:
            waits_since = monotonic()
        elif monotonic() - waits_since > TURN_MOST_S:
            _refuse_to_wait()
        else:
            sleep(TURN_S)  # with no transaction open
    return list(made.values())


def _refuse_to_wait() -> None:
    text = "Somebody holds the lock under which audit events get their places: look for their session in pg_locks."
    log.error("the lock of the sequencer is held", seconds=TURN_MOST_S)
    announcing.announce(Announcement(kind="audit_late", tenant_id=None, subject=HELD, label=text))
    raise SequencerHeld(text)


def _signing_key(by: Actor) -> Ed25519PrivateKey:
    if signers.current() is None:
        make_signing_key(by=by)
    key = signers.current()
    assert key is not None
    return key


def _has_turn() -> bool:
    """One sequencer at a time; the next one sees what this one committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('portcullis.audit', 0))")
        return bool(cursor.fetchone()[0])


def _waiting(tenant_id: int | Every | None, first: int) -> list[int]:
    with connection.cursor() as cursor:
        if tenant_id is ALL:
            cursor.execute(_WAITING, [first, SLICE])
        else:
            cursor.execute(_WAITING_OF, [first, tenant_id, SLICE])
        return [event_id for (event_id,) in cursor]


def _sequence(waiting: list[int], key: Ed25519PrivateKey) -> list[AuditCheckpoint]:
    found = _leaves(waiting)
    grown = [growth for growth in _growths(found) if _is_as_signed(growth)]
    places, sizes = [], []
    for growth in grown:
        first = growth.edge.size
        growth.edge.add(growth.hashes)
        places += [
            AuditLeaf(event_id=event_id, log=growth.log, index=first + at) for at, event_id in enumerate(growth.ids)
        ]
        sizes.append((growth.log.pk, growth.edge.size))
    signed = [_signed(growth, key) for growth in grown]
    _change("sequence", _GROW, [list(column) for column in zip(*sizes, strict=True)] or [[], []])
    AuditLeaf.objects.bulk_create(places)
    _keep_tiles(grown)
    _change("sequence", "DELETE FROM compliance_auditpending WHERE event_id = ANY(%s)", [[p.event_id for p in places]])
    return AuditCheckpoint.objects.bulk_create(signed)


def _leaves(waiting: list[int]) -> dict[int | None, list[tuple[int, bytes]]]:
    """Tenant to its events, in the order of their numbers, and their hashes."""
    found: dict[int | None, list[tuple[int, bytes]]] = defaultdict(list)
    for row in _readable(waiting):
        try:
            leaf = leaves.leaf_of(row)
        except UNREADABLE:
            _tell_unreadable(row["id"])
        else:
            found[row["tenant_id"]].append((row["id"], leaf))
    return found


def _readable(waiting: list[int]) -> list[dict[str, Any]]:
    """The rows that can be read at all; one that cannot is found by halves, so that it holds no other up."""
    try:
        return list(AuditEvent.objects.filter(pk__in=waiting).order_by("pk").values(*leaves.COLUMNS))
    except UNREADABLE:
        if len(waiting) == 1:
            _tell_unreadable(waiting[0])
            return []
        middle = len(waiting) // 2
        return _readable(waiting[:middle]) + _readable(waiting[middle:])


def _tell_unreadable(event_id: int) -> None:
    log.error("an audit event cannot be hashed", event_id=event_id)
    _tell_tampered(f"event {event_id}", f"audit event {event_id}, which is not as this project writes them")


def _growths(found: Mapping[int | None, list[tuple[int, bytes]]]) -> list[_Growth]:
    logs = _logs(found)
    wanted = [(each.pk, level, index) for each in logs for level, index in tiles.edge_of(each.size)]
    held: dict[int, dict[Place, bytes]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_TILES, [list(column) for column in zip(*wanted, strict=True)] or [[], [], []])
        for log_id, level, index, hashes in cursor:
            held[log_id][level, index] = bytes(hashes)
    newest = AuditCheckpoint.objects.filter(log__in=logs, size=F("log__size")).values_list("log_id", "note")
    last_notes = dict(newest)
    growths = []
    for each in logs:
        ids, hashes = [event_id for event_id, _ in found[each.tenant_id]], [leaf for _, leaf in found[each.tenant_id]]
        try:
            edge = Edge(each.size, held[each.pk])
        except TileMissing:
            _refuse(each)
            continue
        growths.append(_Growth(each, edge, last_notes.get(each.pk, ""), ids, hashes))
    return growths


def _logs(tenants: Collection[int | None]) -> list[AuditLog]:
    """The logs of those tenants; those that are not there yet are made, the platform's before any other."""
    logs = {each.tenant_id: each for each in AuditLog.objects.filter(_of(tenants))}
    missing = [tenant_id for tenant_id in tenants if tenant_id not in logs]
    if missing:
        installation = origins.installation()
        if installation is None:
            installation = origins.new_installation()
            logs[None] = AuditLog.objects.create(tenant_id=None, origin=origins.origin_of(installation, None))
        for tenant_id in missing:
            if tenant_id not in logs:
                origin = origins.origin_of(installation, tenant_id)
                logs[tenant_id] = AuditLog.objects.create(tenant_id=tenant_id, origin=origin)
    return [logs[tenant_id] for tenant_id in tenants]


def _of(tenants: Iterable[int | None]) -> Q:
    numbers = [tenant_id for tenant_id in tenants if tenant_id is not None]
    return Q(tenant_id__in=numbers) | Q(tenant_id=None) if None in list(tenants) else Q(tenant_id__in=numbers)


def _is_as_signed(growth: _Growth) -> bool:
    """Whether the hashes at hand are what the last checkpoint says: nothing inconsistent with it may be signed."""
    if growth.edge.size == 0:
        return True
    try:
        last = notes.parse_checkpoint(growth.last_note)
    except notes.InvalidNote:
        last = None
    if last is not None and (last.size, last.root) == (growth.edge.size, growth.edge.root()):
        return True
    _refuse(growth.log)
    return False


def _refuse(altered: AuditLog) -> None:
    log.error("the hashes of an audit log are not those that were signed", origin=altered.origin)
    _tell_tampered(f"log {altered.pk}", f"audit log {altered.origin}, whose hashes are not those that were signed")


def _tell_tampered(subject: str, label: str) -> None:
    announcing.announce(Announcement(kind="audit_tampered", tenant_id=None, subject=subject, label=label))


def _signed(growth: _Growth, key: Ed25519PrivateKey) -> AuditCheckpoint:
    root, size, origin = growth.edge.root(), growth.edge.size, growth.log.origin
    note = notes.sign_checkpoint(notes.Checkpoint(origin, size, root), keys=_signers(growth, key))
    return AuditCheckpoint(log=growth.log, size=size, root=root, note=note)


def _signers(growth: _Growth, key: Ed25519PrivateKey) -> list[Ed25519PrivateKey]:
    """The key of now; and with it, in the log's first checkpoint after a rotation, the one that signed the last."""
    if not growth.last_note:
        return [key]
    origin, signed_by = growth.log.origin, {each.key_id for each in notes.signatures_of(growth.last_note)}
    if notes.key_id(origin, key.public_key().public_bytes_raw()) in signed_by:
        return [key]
    known = [public for public in signers.public_keys() if notes.key_id(origin, public) in signed_by]
    before = signers.private_of(known[0]) if known else None
    return [before, key] if before is not None else [key]


def _keep_tiles(grown: Iterable[_Growth]) -> None:
    rows = [
        AuditTile(log=growth.log, level=level, index=index, hashes=hashes)
        for growth in grown
        for (level, index), hashes in growth.edge.changed.items()
    ]
    with guard.lifted("sequence"):
        AuditTile.objects.bulk_create(
            rows, update_conflicts=True, update_fields=["hashes"], unique_fields=["log", "level", "index"]
        )


# --- what people are told --------------------------------------------------------------------------------------------


def look(*, by: Actor) -> None:
    """Tells when events wait for their places for long, and says of what was told here whether it is over."""
    late = audit_lag.behind().event
    if late is None:
        announcing.is_over(kind="audit_late", tenant_id=None, subject=LATE)
    else:
        label = (
            f"Since {late:%Y-%m-%d %H:%M} UTC events wait for their places in the audit log: nothing seals them yet."
        )
        announcing.announce(Announcement(kind="audit_late", tenant_id=None, subject=LATE, label=label))
    with transaction.atomic():
        if not _has_turn():
            return
        announcing.is_over(kind="audit_late", tenant_id=None, subject=HELD)
        for subject in announcing.open_subjects(kind="audit_tampered", tenant_id=None):
            what, _, number = subject.partition(" ")
            if what in _IS_OVER and number.lstrip("-").isdecimal() and _IS_OVER[what](int(number)):
                announcing.is_over(kind="audit_tampered", tenant_id=None, subject=subject)


def _is_as_signed_again(log_id: int) -> bool:
    row = AuditLog.objects.filter(pk=log_id).first()
    return row is not None and any(map(_is_as_signed, _growths({row.tenant_id: []})))


def _waits_no_more(event_id: int) -> bool:
    return not AuditPending.objects.filter(event_id=event_id).exists()


_IS_OVER = {"log": _is_as_signed_again, "event": _waits_no_more}


# --- out of the database ---------------------------------------------------------------------------------------------


def deliver() -> int:
    """Hands checkpoints that not all sinks have to the sinks, oldest first; returns how many all of them have now.

    Of a sink that fails people are told, once, until it takes one again; the others get theirs meanwhile. A process
    that is killed in between offers the same again.
    """
    delivered, failing = 0, dict[str, str]()
    names = [sink.name for sink in sinks.configured()]
    due = AuditCheckpoint.objects.select_related("log").order_by("id")
    # A sink that is new is given the last checkpoint of each log.
    unknown = due.filter(size=F("log__size")).exclude(delivered_at=None).exclude(delivered_to__contains=names)
    rows = [*due.filter(delivered_at=None)[:DELIVERED_AT_ONCE], *unknown[:DELIVERED_AT_ONCE]]
    for row in rows:
        _offer(row, failing)
        if not failing:
            _keep_delivered(row, names)
            delivered += 1
    if rows:
        _tell_of_sinks(failing)
    return delivered


def _offer(row: AuditCheckpoint, failing: dict[str, str]) -> None:
    for sink in sinks.configured():
        if sink.name in failing:
            continue
        try:
            sink.put(row.log.origin, row.size, row.note)
        except SinkUnavailable as error:
            failing[sink.name] = str(error)


def _keep_delivered(row: AuditCheckpoint, names: list[str]) -> None:
    """Says when, and to whom; of one that others had before, also to whom."""
    statement = "UPDATE compliance_auditcheckpoint SET delivered_at = %s, delivered_to = %s WHERE id = %s"
    taken = sorted({*row.delivered_to, *names})
    with transaction.atomic():
        _change("deliver", statement, [timezone.now(), taken, row.pk])


def _tell_of_sinks(failing: Mapping[str, str]) -> None:
    for sink in sinks.configured():
        subject, label = f"sink {sink.name}", f"the sink “{sink.name}” for checkpoints of the audit log"
        with transaction.atomic():
            if sink.name not in failing:
                announcing.is_over(kind="audit_sink_failing", tenant_id=None, subject=subject)
                continue
            log.error("a sink of checkpoints fails", sink=sink.name, error=failing[sink.name])
            announcing.announce(Announcement(kind="audit_sink_failing", tenant_id=None, subject=subject, label=label))


# --- what the tables' guards ask for ---------------------------------------------------------------------------------


def _change(purpose: guard.Purpose, statement: str, params: list[Any]) -> None:
    with guard.lifted(purpose), connection.cursor() as cursor:
        cursor.execute(statement, params)
