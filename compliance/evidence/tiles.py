"""How a tree is kept: tiles of 256 neighbouring hashes (https://c2sp.org/tlog-tiles). Pure, standard library only.

Level 0 holds hashes of leaves, level n the roots of full tiles of level n - 1. Hashes are added at the right edge only,
so that a tile holds every smaller one that was ever part of a tree.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256

from compliance.evidence import tree
from compliance.evidence.tree import HASH

HEIGHT = 8
PER_TILE = 1 << HEIGHT

Place = tuple[int, int]
"""Level and index of a tile."""
Read = Callable[[int, int], bytes]
"""Level and index of a tile to its hashes."""


class TileMissing(LookupError):
    """A tile is not there, or holds fewer hashes than the tree needs."""


def edge_of(size: int) -> Iterator[Place]:
    """The tiles at the right edge of a tree that are not full: where it grows."""
    level = 0
    while size:
        if size % PER_TILE:
            yield level, size // PER_TILE
        size //= PER_TILE
        level += 1


class Edge:
    """The right edge of a tree: takes leaves, and knows which tiles they changed and what the root is.

    Raises:
        TileMissing: `tiles` has not what `edge_of(size)` asks for.
    """

    def __init__(self, size: int, tiles: Mapping[Place, bytes]) -> None:
        self.size = size
        self.changed: dict[Place, bytes] = {}
        """Tiles that were begun or went on, as they are now."""
        self._levels: list[bytearray] = []
        level, left = 0, size
        while left:
            width = left % PER_TILE * HASH
            held = bytes(tiles.get((level, left // PER_TILE), b"")) if width else b""
            if len(held) != width:
                raise TileMissing(f"tile {level}/{left // PER_TILE} of a tree of {size}")
            self._levels.append(bytearray(held))
            level, left = level + 1, left // PER_TILE

    def add(self, leaves: Iterable[bytes]) -> None:
        """Adds hashes of leaves."""
        touched = set()
        for leaf in leaves:
            if not self._levels:
                self._levels.append(bytearray())
            self._levels[0] += leaf
            self.size += 1
            touched.add(0)
            level = 0
            while len(self._levels[level]) == PER_TILE * HASH:
                full = bytes(self._levels[level])
                self.changed[level, (self.size >> HEIGHT * (level + 1)) - 1] = full
                self._levels[level].clear()
                touched.discard(level)
                level += 1
                if level == len(self._levels):
                    self._levels.append(bytearray())
                self._levels[level] += root_of_tile(full)
                touched.add(level)
        for level in touched:
            self.changed[level, self.size >> HEIGHT * (level + 1)] = bytes(self._levels[level])

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        nodes: list[bytes] = []
        for hashes in reversed(self._levels):
            nodes += _perfect(bytes(hashes))
        return tree.fold(nodes)


def root_of_tile(hashes: bytes) -> bytes:
    """The root over a full tile: an entry of the level above."""
    return _inside(hashes)[HEIGHT]


def nodes_in(read: Read, size: int) -> tree.Node:
    """The nodes of a tree of that size, out of its tiles; keeps what it has computed of a few of them.

    Raises:
        TileMissing: by the returned function, of what is not there.
    """

    @lru_cache(maxsize=64)
    def inside(level: int, index: int) -> list[bytes]:
        width = min(PER_TILE, (size >> HEIGHT * level) - index * PER_TILE) * HASH
        hashes = read(level, index)[:width]
        if len(hashes) < width:
            raise TileMissing(f"tile {level}/{index} of a tree of {size}")
        return _inside(hashes)

    def node(level: int, index: int) -> bytes:
        upper, height = divmod(level, HEIGHT)
        tile, at = divmod(index << height, PER_TILE)
        row = inside(upper, tile)[height]
        at >>= height
        return row[at * HASH : at * HASH + HASH]

    return node


def _inside(hashes: bytes) -> list[bytes]:
    """The rows of whole nodes over the hashes of a tile, the hashes themselves first: nine, also if some are empty."""
    rows = [hashes]
    for _ in range(HEIGHT):
        below = rows[-1]
        pairs = range(0, len(below) // (2 * HASH) * 2 * HASH, 2 * HASH)
        rows.append(b"".join([sha256(b"\x01" + below[at : at + 2 * HASH]).digest() for at in pairs]))
    return rows


def _perfect(hashes: bytes) -> list[bytes]:
    """The roots over what a partial tile divides into: by powers of two, the largest first."""
    count, rows, found, at = len(hashes) // HASH, _inside(hashes), [], 0
    for height in reversed(range(HEIGHT)):
        if count >> height & 1:
            row = rows[height]
            start = (at >> height) * HASH
            found.append(row[start : start + HASH])
            at += 1 << height
    return found
