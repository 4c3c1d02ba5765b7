"""Verifies checkpoints: those of the database, and the copies that the sinks hold outside of it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from compliance import signing, sinks
from compliance.evidence import notes, proofs
from compliance.evidence.excuses import Excuses
from compliance.evidence.findings import Finding, Report
from compliance.evidence.notes import Checkpoint, InvalidNote
from compliance.evidence.slices import Log
from compliance.models import AuditCheckpoint, AuditLog
from compliance.sinks import Held, SinkUnavailable

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Copy:
    """A checkpoint that a sink holds."""

    sink: str
    root: bytes


@dataclass(slots=True)
class Outside:
    """What the sinks hold, by log."""

    public: list[bytes]
    copies: dict[str, dict[int, list[Copy]]] = field(default_factory=dict)
    """By origin and size."""
    excuses: Excuses = field(default_factory=Excuses)
    readable: set[str] = field(default_factory=set)
    """The sinks that answered."""

    def is_excused(self, origin: str, size: int) -> bool:
        """Whether all that the sinks hold of that size is known to be of lost events."""
        return all(self.excuses.is_lost(origin, size, copy.root) for copy in self.copies[origin][size])

    def of(self, log: Log) -> "Checkpoints":
        return Checkpoints(log, self)

    def unknown(self, origins: set[str]) -> Iterator[Finding]:
        """Logs that only the sinks know: they were deleted, or the database is older than they are."""
        for origin in sorted(self.copies.keys() - origins):
            sizes = [size for size in self.copies[origin] if not self.is_excused(origin, size)]
            if sizes and not AuditLog.objects.filter(origin=origin).exists():
                size = max(sizes)
                sink = self.copies[origin][size][0].sink
                text = f"The whole log is gone; {sink} holds a checkpoint over {size:,} events of it."
                yield Finding(log=origin, index=0, until=size, text=text)


class Checkpoints:
    """Of one log, in the order of their sizes. Tell it each root at `next_size`."""

    def __init__(self, log: Log, outside: Outside) -> None:
        self._log, self._outside, self._public = log, outside, outside.public
        self._copies = copies = outside.copies.get(log.origin, {})
        self._rows = self._read(log)
        self._row = next(self._rows, None)
        self._sizes = iter(sorted(size for size in copies if size <= log.size))
        self._size = next(self._sizes, None)
        self._good = 0
        self._is_broken = False
        self._last_delivered = 0
        self.seen = 0
        self.first_bad: int | None = None
        """The first place of which something is known to be wrong: where a range begins that has it."""

    @property
    def next_size(self) -> int | None:
        """The next size that there is a checkpoint of, here or outside."""
        sizes = [size for size in (self._row.size if self._row else None, self._size) if size is not None]
        return min(sizes, default=None)

    def skip(self, size: int) -> None:
        """Leaves out those of fewer events."""
        while (due := self.next_size) is not None and due < size:
            self._advance(due)
        self._good = size

    def at(self, size: int, root: Callable[[], bytes]) -> Iterator[Finding]:
        """Compares the checkpoints of that size, if there are any, with the root that the log has there."""
        if self.next_size != size:
            return
        row, copies, found = self._advance(size), self._copies.get(size, []), root()
        self.seen += 1
        if row is not None:
            yield from self._own(row, copies, found)
        for copy in copies:
            if copy.root != found and self._outside.excuses.is_lost(self._log.origin, size, copy.root):
                continue
            if copy.root != found:
                yield from self._broken(size, f"{copy.sink} holds another checkpoint")
            elif row is None:
                text = f"The checkpoint over {size:,} events, which {copy.sink} holds, was deleted here."
                yield self._finding(size - 1, text)
        if not self._is_broken:
            self._good = size

    def end(self) -> Iterator[Finding]:
        """What the sinks hold of events that the database does not have, and what they do not hold."""
        yield from self._empty_sinks()
        beyond = [
            size
            for size in self._copies
            if size > self._log.size and not self._outside.is_excused(self._log.origin, size)
        ]
        if beyond and max(beyond) > (now := self._size_now()):
            sink, most = self._copies[max(beyond)][0].sink, max(beyond)
            text = f"The log was cut off here or rolled back: {sink} holds a checkpoint over {most:,} events."
            yield self._finding(now, text, until=most)

    def _own(self, row: AuditCheckpoint, copies: list[Copy], root: bytes) -> Iterator[Finding]:
        size = row.size
        said = None
        try:
            said = notes.open_checkpoint(row.note, origin=self._log.origin, publics=self._public)
        except InvalidNote as error:
            yield self._finding(size - 1, f"The checkpoint over {size:,} events is not signed as it should: {error}.")
        if said and said != Checkpoint(self._log.origin, size, bytes(row.root)):
            yield self._finding(size - 1, f"The checkpoint over {size:,} events says otherwise than was signed.")
        if bytes(row.root) != root or (said and said.root != root):
            yield from self._broken(size, "a checkpoint says otherwise")
        if row.delivered_at is not None:
            yield from self._delivered(row, {copy.sink for copy in copies})

    def _delivered(self, row: AuditCheckpoint, has: set[str]) -> Iterator[Finding]:
        """Whether the sinks that took a checkpoint have it still."""
        size, origin = row.size, self._log.origin
        self._last_delivered = size
        if unknown := set(row.delivered_to) - sinks.NAMES:
            named = ", ".join(sorted(unknown))
            text = f"The checkpoint over {size:,} events says that {named} took it, which is no sink."
            yield self._finding(size - 1, text)
        for sink in sorted((self._outside.readable & set(row.delivered_to)) - has):
            if not self._outside.excuses.is_gone(sink, origin, size):
                yield self._finding(size - 1, f"{sink} had the checkpoint over {size:,} events, and lost it.")

    def _empty_sinks(self) -> Iterator[Finding]:
        """Every sink holds something of a log of which checkpoints were delivered: a new one is given the last."""
        holding = {copy.sink for copies in self._copies.values() for copy in copies}
        size, origin = self._last_delivered, self._log.origin
        for sink in sorted(self._outside.readable - holding):
            if size and not self._outside.excuses.is_gone(sink, origin, size):
                text = f"{sink} holds no checkpoint of this log, although one over {size:,} events was delivered."
                yield self._finding(size - 1, text)

    def _broken(self, size: int, text: str) -> Iterator[Finding]:
        """Says once from where on: every later root is another one, too."""
        if not self._is_broken:
            self._is_broken = True
            text = f"Events, or the hashes over them, are not what was sealed: {text}."
            bad = self.first_bad
            yield self._finding(bad if bad is not None and self._good <= bad < size else self._good, text, until=size)

    def _advance(self, size: int) -> AuditCheckpoint | None:
        row = None
        if self._row is not None and self._row.size == size:
            row, self._row = self._row, next(self._rows, None)
        if self._size == size:
            self._size = next(self._sizes, None)
        return row

    def _size_now(self) -> int:
        return AuditLog.objects.filter(pk=self._log.id).values_list("size", flat=True).first() or 0

    def _finding(self, index: int, text: str, *, until: int | None = None) -> Finding:
        return Finding(log=self._log.origin, index=max(index, 0), until=until, text=text)

    @staticmethod
    def _read(log: Log) -> Iterator[AuditCheckpoint]:
        rows = AuditCheckpoint.objects.filter(log_id=log.id, size__lte=log.size).order_by("size")
        last = -1
        while page := list(rows.filter(size__gt=last)[:PAGE]):
            yield from page
            last = page[-1].size


def outside(report: Report, *, begun: datetime) -> Outside:
    """Reads what the sinks hold. One that cannot be read, or holds what nobody signed, says so in the report.

    Raises:
        KeyStoreUnavailable: the public keys cannot be read.
    """
    found = Outside(signing.public_keys())
    report.add(*found.excuses.read(begun=begun, publics=found.public))
    ours = set(AuditLog.objects.values_list("origin", flat=True))
    for sink in sinks.configured():
        try:
            for held in sink.all():
                report.add(*_take(found, held, ours))
            found.readable.add(sink.name)
        except SinkUnavailable as error:
            report.unchecked.append(f"Checkpoints outside of the database could not be compared: {error}.")
    return found


def _take(found: Outside, held: Held, ours: Collection[str]) -> Iterator[Finding]:
    """Of logs that nobody knows here, what is signed counts all the same: the database may have been emptied. What is
    not belongs to another installation."""
    try:
        said = notes.open_checkpoint(held.note, origin=held.origin, publics=found.public)
    except InvalidNote as error:
        if held.origin in ours:
            text = f"What {held.sink} holds as the checkpoint over {held.size:,} events was altered: {error}."
            yield Finding(log=held.origin, index=None, text=text)
    else:
        found.copies.setdefault(said.origin, {}).setdefault(said.size, []).append(Copy(held.sink, said.root))


@dataclass(frozen=True, slots=True)
class Lost:
    """Of one log: up to where sinks and database agree, how far the sinks go, and what they hold beyond or besides."""

    agreed: int
    last: int
    checkpoints: list[tuple[int, bytes]]


def lost(outside: Outside) -> dict[str, Lost]:
    """What the sinks hold that is of no event here, by log, and is not on record as lost yet."""
    found = {}
    logs = {log.origin: log for log in AuditLog.objects.filter(origin__in=outside.copies)}
    for origin, copies in outside.copies.items():
        log = logs.get(origin)
        agreed, pairs = 0, set[tuple[int, bytes]]()
        for size in sorted(copies, reverse=True):
            root = proofs.root(log, size) if log and size <= log.size else b""
            if any(copy.root == root for copy in copies[size]):
                agreed = size
                break
            pairs |= {
                (size, each.root) for each in copies[size] if not outside.excuses.is_lost(origin, size, each.root)
            }
        if pairs:
            found[origin] = Lost(agreed, max(size for size, _ in pairs), sorted(pairs))
    return found


def gone(outside: Outside) -> dict[str, dict[str, int]]:
    """Up to which size each sink that answers has lost what it had taken of a log; by sink and origin."""
    found: dict[str, dict[str, int]] = {}
    delivered = AuditCheckpoint.objects.exclude(delivered_at=None).order_by("pk")
    for origin, size, sinks_then in delivered.values_list("log__origin", "size", "delivered_to").iterator():
        has = {copy.sink for copy in outside.copies.get(origin, {}).get(size, ())}
        for sink in (outside.readable & set(sinks_then)) - has:
            if not outside.excuses.is_gone(sink, origin, size):
                sizes = found.setdefault(sink, {})
                sizes[origin] = max(size, sizes.get(origin, 0))
    return found
