"""Proofs about a log, out of its tiles.

For many of one size use `Proofs`, which reads each tile once for neighbouring leaves.
"""

from compliance.evidence import tiles, tree
from compliance.evidence.tiles import TileMissing
from compliance.models import AuditLog, AuditTile


class Proofs:
    """Of a log at one size.

    Raises:
        TileMissing: by each method; hashes of the log are not there, so it was tampered with.
    """

    def __init__(self, log: AuditLog, size: int) -> None:
        self.log, self.size = log, size
        self._node = tiles.nodes_in(self._read, size)

    def root(self) -> bytes:
        return tree.root(self.size, self._node)

    def inclusion(self, index: int) -> list[bytes]:
        """Proves the place of a leaf; ValueError if there is none."""
        return tree.inclusion(index, self.size, self._node)

    def consistency(self, old: int) -> list[bytes]:
        """Proves that the log was so at the size `old`; ValueError if that is beyond this one."""
        return tree.consistency(old, self.size, self._node)

    def leaf(self, index: int) -> bytes:
        """The hash of a leaf."""
        return self._node(0, index)

    def _read(self, level: int, index: int) -> bytes:
        found = (
            AuditTile.objects.filter(log=self.log, level=level, index=index).values_list("hashes", flat=True).first()
        )
        if found is None:
            raise TileMissing(f"tile {level}/{index} of {self.log}")
        return bytes(found)


def root(log: AuditLog, size: int) -> bytes:
    """The root that the log's tiles give at a size."""
    return Proofs(log, size).root()


def inclusion(log: AuditLog, index: int, size: int) -> list[bytes]:
    """The hashes that prove that leaf's place in the log of that size."""
    return Proofs(log, size).inclusion(index)


def consistency(log: AuditLog, old: int, new: int) -> list[bytes]:
    """The hashes that prove that the log of size `old` is how that of size `new` began."""
    return Proofs(log, new).consistency(old)
