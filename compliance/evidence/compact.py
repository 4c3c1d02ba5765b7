"""The right edge of a growing Merkle tree (RFC 6962): enough to tell its root at any size that it passes. Pure."""

from collections.abc import Callable
from hashlib import sha256

TILE_HEIGHT = 8
"""The root of 2^8 neighbours of one level is one entry of the next: https://c2sp.org/tlog-tiles."""
Emit = Callable[[int, bytes], None]


class Edge:
    """Grows by one leaf's hash after the other, in bounded memory."""

    def __init__(self, emit: Emit | None = None) -> None:
        """`emit` is given, of each full tile of level n, its root as an entry of level n + 1: `emit(n + 1, root)`."""
        self.size = 0
        self._roots: list[bytes] = []  # of perfect subtrees, the largest first
        self._emit = emit

    def append(self, leaf: bytes) -> None:
        """Adds the hash of the next leaf."""
        self._push(leaf, height=0)

    def append_tile(self, root: bytes) -> None:
        """Adds 256 leaves at once by the root over them.

        Raises:
            ValueError: the size so far is no multiple of 256.
        """
        if self.size % 256:
            raise ValueError(f"a tile does not begin at {self.size}")
        self._push(root, height=TILE_HEIGHT)

    def root(self) -> bytes:
        """The root of the tree as it is now; of an empty one, the hash of nothing (RFC 6962, 2.1)."""
        if not self._roots:
            return sha256(b"").digest()
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = sha256(b"\x01" + left + root).digest()
        return root

    def _push(self, node: bytes, *, height: int) -> None:
        count, first = self.size >> height, height
        while True:
            if height and height % TILE_HEIGHT == 0 and self._emit:
                self._emit(height // TILE_HEIGHT, node)
            if not count & 1:
                break
            node = sha256(b"\x01" + self._roots.pop() + node).digest()
            count, height = count >> 1, height + 1
        self._roots.append(node)
        self.size += 1 << first
