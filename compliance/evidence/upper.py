"""Verifies the upper levels of a log's tiles: of each full tile the root, as an entry of the level above."""

from collections.abc import Iterator

from compliance.evidence.findings import Finding
from compliance.evidence.slices import HASH, PER_TILE, Log
from compliance.models import AuditTile

MISSING, OTHER = "The hashes over these events are gone.", "The hashes over these events were changed."


class Upper:
    """Is given the roots of full tiles as they turn out, and compares them with what is kept of them."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rows: dict[int, bytearray] = {}
        self._counts: dict[int, int] = {}
        self._found: list[Finding] = []
        self.first_bad: int | None = None
        """The first place of which something is known to be wrong."""

    def roots(self, tiles: int) -> Iterator[bytes]:
        """The roots over the first so many tiles of 256 leaves, as they are kept; zeros where they are not."""
        for index in range(-(-tiles // PER_TILE)):
            due = min(PER_TILE, tiles - index * PER_TILE)
            kept = self._kept(1, index).ljust(due * HASH, b"\0")
            yield from (kept[at : at + HASH] for at in range(0, due * HASH, HASH))

    def add(self, level: int, root: bytes) -> None:
        """The next entry of a level above the leaves'."""
        row = self._rows.setdefault(level, bytearray())
        row += root
        self._counts[level] = self._counts.get(level, 0) + 1
        if len(row) == PER_TILE * HASH:
            self._compare(level)

    def end(self) -> list[Finding]:
        """What was found, the tiles included that are not full."""
        for level, row in self._rows.items():
            if row:
                self._compare(level)
        return self._found

    def _compare(self, level: int) -> None:
        row = bytes(self._rows[level])
        self._rows[level].clear()
        first = self._counts[level] - len(row) // HASH
        kept = self._kept(level, first // PER_TILE)[: len(row)]
        if kept != row:
            at = next(at for at in range(0, len(row), HASH) if kept[at : at + HASH] != row[at : at + HASH])
            entry, span = first + at // HASH, PER_TILE**level
            text = f"{OTHER if len(kept) > at else MISSING} (level {level})"
            index, until, bad = entry * span, (entry + 1) * span, self.first_bad
            index = bad if bad is not None and index <= bad < until else index
            self._found.append(Finding(log=self._log.origin, index=index, until=until, text=text))

    def _kept(self, level: int, index: int) -> bytes:
        rows = AuditTile.objects.filter(log_id=self._log.id, level=level, index=index)
        return bytes(rows.values_list("hashes", flat=True).first() or b"")
