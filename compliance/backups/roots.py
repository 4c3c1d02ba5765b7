"""Recomputes the root of an audit log from its events: what a restore is compared with the last checkpoint by.

Where events were removed because their time was over, their hashes are taken from the tiles, which stay.
"""

import hashlib
from collections.abc import Iterator

from compliance.evidence.leaves import COLUMNS, leaf_of
from compliance.models import AuditEvent, AuditLeaf, AuditLog, AuditTile

PAGE = 2_000
HASH_BYTES = 32
TILE = 256


def root_of(origin: str, size: int) -> str:
    """The root (hex) of the log's first `size` leaves, RFC 6962, 2.1; empty where there are not so many."""
    log = AuditLog.objects.filter(origin=origin).first()
    if log is None:
        return ""
    subtrees: list[tuple[int, bytes]] = []
    """Perfect subtrees from the left, each with its number of leaves: as the binary digits of how many there are."""
    count = 0
    for leaf in _leaves(log, size):
        count += 1
        subtrees.append((1, leaf))
        while len(subtrees) > 1 and subtrees[-1][0] == subtrees[-2][0]:
            (width, right), (_, left) = subtrees.pop(), subtrees.pop()
            subtrees.append((2 * width, _node(left, right)))
    if count != size:
        return ""
    root = subtrees.pop()[1] if subtrees else hashlib.sha256().digest()
    while subtrees:
        root = _node(subtrees.pop()[1], root)
    return root.hex()


def _leaves(log: AuditLog, size: int) -> Iterator[bytes]:
    removed = min(log.pruned_to, size)
    yield from _from_tiles(log, removed)
    for first in range(removed, size, PAGE):
        places = AuditLeaf.objects.filter(log=log, index__gte=first, index__lt=min(first + PAGE, size))
        ids = list(places.order_by("index").values_list("event_id", flat=True))
        rows = {row["id"]: row for row in AuditEvent.objects.filter(pk__in=ids).values(*COLUMNS)}
        yield from (leaf_of(rows[number]) for number in ids if number in rows)


def _from_tiles(log: AuditLog, count: int) -> Iterator[bytes]:
    for number in range(-(-count // TILE)):
        tile = AuditTile.objects.filter(log=log, level=0, index=number).first()
        hashes = bytes(tile.hashes) if tile else b""
        for place in range(min(TILE, count - number * TILE)):
            yield hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES]


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
