"""Verifies the audit log against itself, its signatures, and the checkpoints that lie outside of the database.

What it proves, and what it cannot, is in docs/adr/0027. It only reads, in short transactions, while the log goes on
growing: of each log it verifies what was there when it came to it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from compliance.evidence import checkpoints, pool, strays
from compliance.evidence.checkpoints import Checkpoints
from compliance.evidence.compact import Edge
from compliance.evidence.findings import Finding, Report
from compliance.evidence.pool import Pool
from compliance.evidence.slices import HASH, PER_TILE, Log, Verified
from compliance.evidence.upper import Upper
from compliance.models import AuditCheckpoint, AuditLog

Progress = Callable[[int, int, str], None]
"""Called with events done, all of them, and the log's origin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to verify.

    Args:
        origins: logs by their name; empty: all of them, and what belongs to none.
        since: only what was added to each log since the last checkpoint before this time.
        processes: how many to use; None: as many as pay.
    """

    origins: Sequence[str] = ()
    since: datetime | None = None
    processes: int | None = None


def check(wanted: Wanted, *, progress: Progress | None = None) -> Report:
    """Verifies, and says what is not as it was sealed.

    Raises:
        KeyStoreUnavailable: the public keys cannot be read, so no signature can be checked.
    """
    report, begun = Report(), strays.now()
    outside = checkpoints.outside(report, begun=begun)
    logs = _logs(wanted, report)
    total = sum(log.size for log in logs)
    with pool.pool(events=total, processes=wanted.processes) as workers:
        for log in logs:
            before = report.events
            for done in _Log(log, report, outside.of(log), begun).verify(workers, since=_begin(log, wanted.since)):
                if progress:
                    progress(before + done, total, log.origin)
            report.events = before + log.size
            report.logs += 1
    if not wanted.origins:
        report.add(*outside.unknown({log.origin for log in logs}))
        report.add(*strays.find())
    return report


def _logs(wanted: Wanted, report: Report) -> list[Log]:
    rows = AuditLog.objects.order_by("pk").values_list("pk", "origin", "tenant_id", "size", "pruned_to")
    logs = [Log(id=pk, origin=origin, tenant_id=of, size=size, pruned_to=to) for pk, origin, of, size, to in rows]
    missing = set(wanted.origins) - {log.origin for log in logs}
    report.add(*(Finding(log=origin, index=None, text="There is no log of this name.") for origin in sorted(missing)))
    return [log for log in logs if not wanted.origins or log.origin in wanted.origins]


def _begin(log: Log, since: datetime | None) -> int:
    """The multiple of 256 from which on events are looked at; what is before counts by its hashes."""
    if since is None:
        return 0
    before = AuditCheckpoint.objects.filter(log_id=log.id, signed_at__lte=since).order_by("-size").first()
    return before.size // PER_TILE * PER_TILE if before else 0


class _Log:
    """One log under verification."""

    def __init__(self, log: Log, report: Report, outside: Checkpoints, begun: datetime) -> None:
        self._log, self._report, self._outside, self._begun = log, report, outside, begun
        self._upper = Upper(log)
        self._edge = Edge(emit=self._upper.add)
        self._redacted: dict[int, tuple[int, set[str]]] = {}
        self._pruned: tuple[int, int] | None = None

    def verify(self, workers: Pool, *, since: int) -> Iterator[int]:
        """Goes through the log; yields up to which index it has come."""
        log, report = self._log, self._report
        self._pass(since)
        for found in workers.verified(log, since=since):
            report.add(*found.findings)
            if self._upper.first_bad is None and found.findings:
                self._upper.first_bad = self._outside.first_bad = min(each.index or 0 for each in found.findings)
            self._take(found)
            yield found.until
        report.add(*self._outside.end())
        report.add(*self._upper.end())
        report.add(*self._unexplained(since))
        report.checkpoints += self._outside.seen

    def _pass(self, since: int) -> None:
        """Counts by their hashes those that are not looked at."""
        for root in self._upper.roots(since // PER_TILE):
            self._edge.append_tile(root)
        self._outside.skip(since)
        self._report.add(*self._outside.at(since, self._edge.root))

    def _take(self, found: Verified) -> None:
        hashes, edge, due = found.hashes, self._edge, self._outside
        for at in range(0, len(hashes), HASH):
            edge.append(hashes[at : at + HASH])
            if edge.size == due.next_size:
                self._report.add(*due.at(edge.size, edge.root))
        for event_id, index, names in found.redacted:
            self._redacted[event_id] = (index, set(names))
        for said in found.explained:
            for event_id, names in said.items():
                self._explain(event_id, names)
        self._pruned = max([*found.pruned, *([self._pruned] if self._pruned else [])], default=None)

    def _explain(self, event_id: int, names: frozenset[str]) -> None:
        if event_id in self._redacted:
            self._redacted[event_id][1].difference_update(names)
            if not self._redacted[event_id][1]:
                del self._redacted[event_id]

    def _unexplained(self, since: int) -> Iterator[Finding]:
        """What was destroyed or removed without a word in the log, pending events included."""
        log = self._log
        waiting = strays.waiting(log, begun=self._begun)
        yield from waiting.findings
        for names_by_event in waiting.redactions:
            for event_id, names in names_by_event.items():
                self._explain(event_id, names)
        for event_id, (index, left) in sorted(self._redacted.items(), key=lambda each: each[1][0]):
            fields = ", ".join(sorted(left))
            text = f"Of event {event_id} {fields} was destroyed, and no redaction says so."
            yield Finding(log=log.origin, index=index, text=text)
        told = max(self._pruned[1] if self._pruned else 0, waiting.pruned_to)
        if log.pruned_to > told and since == 0:
            text = "Events were removed, and no pruning says so."
            yield Finding(log=log.origin, index=told, until=log.pruned_to, text=text)
