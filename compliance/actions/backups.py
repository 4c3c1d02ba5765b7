"""Makes backups, and removes those whose time is over."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from compliance import announcing, audit, sealed, signing, under_way
from compliance.actions import approvals, audit_log, jobs
from compliance.actions.jobs import Progress, TakenOver
from compliance.announcing import Announcement
from compliance.backups import canaries, keeping, manifests, postgres, streams
from compliance.backups.manifests import Manifest
from compliance.backups.parts import DATA, PARTS, Part, bound_to, file_of
from compliance.backups.places import MANIFEST
from compliance.backups.postgres import Dump
from compliance.contracts import Actor
from compliance.enqueuing import enqueue
from compliance.errors import ActionRefused, AlreadyRunning, BackupFailed, ComplianceError
from compliance.keyring import usage
from compliance.models import BackupRun

KIND = under_way.BACKUP
COMPRESSED = 4
"""How many times smaller than a database its dump is, roughly: the first one's progress is shown by it."""
CUT_OFF = "Its process ended before it was through. What there was of it is removed."

log = structlog.get_logger()


def back_up(*, by: Actor) -> list[BackupRun]:
    """Makes a backup of both parts, then removes those that are not kept any more.

    Each part is tried, whatever becomes of the other one. Killed anywhere, the next run removes what is half and begins
    anew.

    Raises:
        AlreadyRunning: one is being made.
        ComplianceError: a part could not be made; the text says what to do.
    """
    try:
        with jobs.running(kind=KIND, by=by) as progress:
            return _back_up(progress, by)
    except (AlreadyRunning, TakenOver):
        raise
    except Exception as error:
        _tell(error)
        raise


def ask_for(*, by: Actor) -> None:
    """Has a worker make a backup now.

    Raises:
        AlreadyRunning: one is being made.
    """
    if under_way.job(KIND):
        raise AlreadyRunning("A backup is being made. Wait for its end.")
    with transaction.atomic():
        audit.record(by=by, action=under_way.BACKUP_REQUESTED, target=audit.target_of(BackupRun()), tenant_id=None)
        transaction.on_commit(lambda: enqueue("compliance.tasks.back_up"), robust=True)


def adopt(*, manifest: Manifest, by: Actor) -> BackupRun:
    """Puts a good backup on record that the database knows nothing of, or only that it was under way: the database was
    restored from it or from an older one, or the process was killed.
    """
    part, label = manifest.part, manifest.label
    known = BackupRun.objects.filter(part=part.name, label=label).first()
    row = known or BackupRun(part=part.name, label=label, started_by=approvals.name_of(by=by))
    row.place, row.made_at = part.where, manifest.made_at
    row.bytes = sum(int(file["bytes"]) for file in manifest.document["files"])
    row.manifest = manifest.signed
    if known is None:
        row.save(force_insert=True)
    _end(row, BackupRun.State.DONE, by=by)
    return row


def cut_off(*, row: BackupRun, by: Actor, error: str = CUT_OFF) -> None:
    """Says of a backup that is called running that it ended before it was through."""
    _end(row, BackupRun.State.FAILED, by=by, error=error)


def _back_up(progress: Progress, by: Actor) -> list[BackupRun]:
    label = keeping.new_label(timezone.now())
    progress.at(0, _expected_bytes(), "looking at what there is")
    _tidy(by)
    audit_log.checkpoint(by=by)  # so that the last checkpoint covers all that is in the backup
    made, problems = [], []
    for part in PARTS.values():
        try:
            made.append(_Run(part, label, progress, by).perform())
        except ComplianceError as error:
            if isinstance(error, TakenOver):
                raise
            problems.append(error)
    if problems:
        raise problems[0]
    removed = sum(_remove_outdated(part, by) for part in PARTS.values())
    progress.at(progress.run.done, progress.run.done)
    progress.result = {"backup": label, "bytes": sum(run.bytes for run in made), "removed": removed}
    announcing.is_over(kind="backup_failed", tenant_id=None, subject=KIND)
    announcing.is_over(kind="backup_overdue", tenant_id=None, subject=KIND)
    return made


class _Run:
    """One part of a backup under way."""

    def __init__(self, part: Part, label: str, progress: Progress, by: Actor) -> None:
        self._part, self._label, self._progress, self._by = part, label, progress, by
        self._before = progress.run.done
        self._row = BackupRun(label=label, part=part.name, place=part.where)

    def perform(self) -> BackupRun:
        self._begin()
        try:
            self._write()
        except TakenOver:
            raise
        except Exception as error:
            with contextlib.suppress(BackupFailed):
                self._part.place.remove(self._label)
            _end(self._row, BackupRun.State.FAILED, by=self._by, error=_in_words(error))
            raise
        return self._row

    @transaction.atomic
    def _begin(self) -> None:
        self._row.started_by = approvals.name_of(by=self._by)
        if self._part is DATA:
            self._row.canary, self._row.erased_canary = canaries.seal(self._label)
        self._row.save(force_insert=True)
        _record("backup.started", self._row, by=self._by, after={"part": self._part.name, "backup": self._label})

    def _write(self) -> None:
        made_at = timezone.now()
        with ExitStack() as stack:
            snapshots = {
                alias: stack.enter_context(postgres.snapshot_of(postgres.params_of(alias)))
                for alias in self._part.databases
            }
            dumps = {
                alias: stack.enter_context(postgres.dumping(snapshots[alias], look=look, beat=self._beat))
                for alias, look in self._part.databases.items()
            }
            files = [self._write_dump(alias, dump) for alias, dump in dumps.items()]
        manifest = self._signed(made_at, files, {alias: dump.found for alias, dump in dumps.items()})
        with self._part.place.writing(self._label, MANIFEST) as write:
            write(json.dumps(manifest, indent=1).encode())
        self._row.manifest, self._row.made_at = manifest, made_at
        self._row.bytes = sum(int(file["bytes"]) for file in files)
        _end(self._row, BackupRun.State.DONE, by=self._by)

    def _write_dump(self, alias: str, dump: Dump) -> dict[str, Any]:
        digest, size, name = hashlib.sha256(), 0, file_of(alias)
        self._progress.at(self._progress.run.done, step=f"dumping {alias}")
        pieces = streams.sealed(dump.pieces, keys=self._part.keys, place=bound_to(self._part, self._label, alias))
        with self._part.place.writing(self._label, name) as write:
            for piece in pieces:
                digest.update(piece)
                write(piece)
                size += len(piece)
                self._progress.at(self._progress.run.done + len(piece), self._total(len(piece)))
        return {"name": name, "database": alias, "bytes": size, "sha256": digest.hexdigest()}

    def _signed(self, made_at: datetime, files: list[dict[str, Any]], found: Mapping[str, Any]) -> dict[str, Any]:
        document = {
            "version": manifests.VERSION,
            "backup": self._label,
            "part": self._part.name,
            "made_at": made_at.isoformat(),
            "files": files,
            "databases": found,
            "key_version": max(self._part.keys),
            "root_versions": _root_versions() if self._part is DATA else found["keys"]["root_versions"],
        }
        return signing.sign(document, kind=manifests.KIND)

    def _beat(self) -> None:
        self._progress.at(self._progress.run.done)

    def _total(self, more: int) -> int:
        """What was expected, or more where that was too little."""
        return max(self._progress.run.total or 0, self._progress.run.done + more)


def _root_versions() -> list[int]:
    """The versions of the root key that something in the main database is sealed under."""
    columns = [each for each in sealed.columns() if each.model._meta.app_label != "keys"]
    found = {
        bytes(row["sealed_under"])
        for each in columns
        for row in usage.by_version(each).values("sealed_under").distinct().order_by()
    }
    return sorted(int.from_bytes(version, "big") for version in found)


def _expected_bytes() -> int:
    """As many as last time; the first time, a share of what the databases take."""
    total = 0
    for part in PARTS.values():
        last = BackupRun.objects.filter(part=part.name, state=BackupRun.State.DONE).first()
        total += last.bytes if last else sum(_size_of(alias) for alias in part.databases) // COMPRESSED
    return total


def _size_of(alias: str) -> int:
    with postgres.connected(postgres.params_of(alias)) as connection:
        return int(postgres.one(connection, "SELECT pg_database_size(current_database())"))


# --- what there is ---------------------------------------------------------------------------------------------------


def _tidy(by: Actor) -> None:
    """Makes the rows say what lies in the places, and removes what is half."""
    for part in PARTS.values():
        there = set(part.place.labels())
        good = {label for label in there if part.place.has(label, MANIFEST)}
        for label in sorted(there - good):
            part.place.remove(label)
        rows = BackupRun.objects.filter(part=part.name, place=part.where)
        for row in rows.filter(state=BackupRun.State.RUNNING).exclude(label__in=good):
            cut_off(row=row, by=by)
        for row in rows.filter(state=BackupRun.State.DONE).exclude(label__in=good):
            _end(row, BackupRun.State.MISSING, by=by, error=f"It is not in {part.where} any more.")
        known = set(rows.filter(state=BackupRun.State.DONE).values_list("label", flat=True))
        for label in sorted(good - known):
            _adopt(part, label, by)


def _adopt(part: Part, label: str, by: Actor) -> None:
    try:
        manifest = manifests.read(part, label, public=signing.public_keys())
    except ComplianceError as error:
        log.warning("a backup in its place cannot be used", part=part.name, backup=label, problem=str(error))
        return
    adopt(manifest=manifest, by=by)


def _remove_outdated(part: Part, by: Actor) -> int:
    """Removes what is not kept any more; what lies in the place counts, not what the rows say."""
    today = timezone.now().date()
    gone = keeping.outdated(manifests.labels(part), today=today, days=part.days, weeks=part.weeks)
    for label in gone:
        part.place.remove(label)
        for row in BackupRun.objects.filter(part=part.name, label=label):
            _end(row, BackupRun.State.REMOVED, by=by)
    return len(gone)


@transaction.atomic
def _end(row: BackupRun, state: BackupRun.State, *, by: Actor, error: str = "") -> None:
    row.state, row.error = state, error
    if row.finished_at is None or state in (BackupRun.State.DONE, BackupRun.State.FAILED):
        row.finished_at = timezone.now()
    row.save(force_update=True)
    after = {"part": row.part, "backup": row.label, "bytes": row.bytes, **({"error": error} if error else {})}
    _record(f"backup.{state}", row, by=by, after=after)


def _record(action: str, row: BackupRun, *, by: Actor, after: Mapping[str, Any]) -> None:
    outcome = "failure" if row.state in (BackupRun.State.FAILED, BackupRun.State.MISSING) else "success"
    target = audit.target_of(row)
    audit.record(by=by, action=action, target=target, tenant_id=None, after=after, outcome=outcome)


def _tell(error: Exception) -> None:
    announcing.announce(
        Announcement(
            kind="backup_failed",
            tenant_id=None,
            subject=KIND,
            label=f"The backup failed: {_in_words(error)}",
            facts={"problem": _in_words(error)},
        )
    )


def _in_words(error: Exception) -> str:
    """What people are told. Texts of other errors may quote rows."""
    told = isinstance(error, (ActionRefused, ComplianceError))
    return str(error)[:500] if told else f"Unexpected: {type(error).__name__}. The log has more."
