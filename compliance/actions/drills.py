"""Tries a restore of the newest backup, in databases that are dropped afterwards, and says how it went."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from compliance import announcing, audit, signing, under_way
from compliance.actions import approvals, jobs
from compliance.actions.jobs import Progress, TakenOver
from compliance.announcing import Announcement
from compliance.backups import canaries, databases, inside, postgres, restoring
from compliance.backups.databases import scratch
from compliance.backups.postgres import Params
from compliance.backups.restoring import Chosen
from compliance.contracts import Actor
from compliance.enqueuing import enqueue
from compliance.errors import ActionRefused, AlreadyRunning, ComplianceError
from compliance.models import RestoreDrill

KIND = "restore_drill"
OPENED_BY = "canary"
"""The check after which people could have been let in: until then the time counts."""
LOOK_EACH_S = 1.0
CUT_OFF = "Its process ended before it was through."


def drill(*, by: Actor) -> RestoreDrill:
    """Restores the newest backups into scratch databases, replays erasures, and checks what came out. Waits for the end
    of a backup that is being made.

    A drill that fails is a result, not an error: its row says why, and an alert tells. Killed anywhere, the next one
    drops what it left.

    Raises:
        AlreadyRunning: one is under way.
    """
    with jobs.running(kind=KIND, by=by) as progress:
        _wait_for_backup(progress)
        _drop_leftovers(by)
        row = _begin(by)
        try:
            _Drill(row, progress).perform()
        except TakenOver:
            raise
        except Exception as error:
            _end(row, problem=_in_words(error), by=by)
            if not isinstance(error, ComplianceError):
                raise
        else:
            _end(row, problem=_problem_of(row), by=by)
        progress.problem = row.problem
        progress.result = {"drill": row.pk, "outcome": row.state, "rto_s": row.rto_s, "rpo_s": row.rpo_s}
    return row


def ask_for(*, by: Actor, after_backup: bool = False) -> None:
    """Has a worker make a drill now; with `after_backup`, of the backup that is being made, once it is there.

    Raises:
        AlreadyRunning: one is under way; or a backup is, and nobody wants to wait for it.
    """
    if under_way.job(KIND):
        raise AlreadyRunning("A drill is under way. Wait for its end.")
    if under_way.is_backup_coming() and not after_backup:
        raise AlreadyRunning("A backup is being made. Wait for its end, and try a restore of that one.")
    with transaction.atomic():
        audit.record(by=by, action="restoredrill.requested", target=audit.target_of(RestoreDrill()), tenant_id=None)
        transaction.on_commit(lambda: enqueue("compliance.tasks.restore_drill"), robust=True)


class _Drill:
    """One drill under way."""

    def __init__(self, row: RestoreDrill, progress: Progress) -> None:
        self._row, self._progress, self._began = row, progress, monotonic()
        self._at = timezone.now()

    def perform(self) -> None:
        public = signing.public_keys()
        chosen = restoring.choose("latest", "latest", public=public)
        self._chose(chosen)
        with _scratch_databases() as targets, _scratch_files() as environment:
            restoring.restore(chosen, targets, tell=self._tell)
            self._check("files", "Every file is whole, and opens", f"{chosen.bytes:,} bytes")
            found = inside.checked(
                chosen, targets, public=public, flags=("--drill",), environment=environment, beat=self._beat
            )
            for check in found:
                self._add(check)

    def _chose(self, chosen: Chosen) -> None:
        self._row.data_label, self._row.keys_label = chosen.data.label, chosen.keys.label
        self._row.rpo_s = max(0, round((self._at - chosen.data.made_at).total_seconds()))
        self._row.restored_bytes = chosen.bytes
        self._check("manifests", "The manifests are signed, and name the newest backups", chosen.data.label)

    def _check(self, name: str, title: str, detail: str) -> None:
        self._add({"name": name, "title": title, "ok": True, "detail": detail, "ms": self._ms()})

    def _add(self, check: dict[str, Any]) -> None:
        self._row.checks.append(check)
        if check["name"] == OPENED_BY and check["ok"]:
            self._row.rto_s = round(self._ms() / 1000 + 0.5)
        _keep(self._row)
        self._progress.at(self._progress.run.done, step=check["title"])

    def _ms(self) -> int:
        return round((monotonic() - self._began) * 1000)

    def _tell(self, done: int, total: int, step: str) -> None:
        self._progress.at(done, total, step)

    def _beat(self) -> None:
        self._progress.at(self._progress.run.done)


def _scratch() -> dict[str, Params]:
    server = postgres.params_at(settings.DRILL_DATABASE_URL) if settings.DRILL_DATABASE_URL else None
    return {alias: scratch(postgres.params_of(alias), server=server) for alias in inside.VARIABLES}


@contextmanager
def _scratch_databases() -> Iterator[Mapping[str, Params]]:
    """Databases that are gone afterwards, whatever happens; if this process is killed, with the next drill."""
    targets = _scratch()
    try:
        yield targets
    finally:
        for params in targets.values():
            databases.drop(params)


def _folder() -> Path:
    return Path(settings.VAR_DIR) / "drills"


@contextmanager
def _scratch_files() -> Iterator[dict[str, str]]:
    """What a process needs that must not touch the installation's files: folders, secrets and a ledger of its own."""
    _folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=_folder()) as name:
        folder = Path(name)
        secrets = Path(settings.VAR_DIR) / "secrets.json"
        if secrets.exists():
            shutil.copy(secrets, folder / "secrets.json")
        ledger = folder / "erasures.jsonl"
        ledger.write_bytes(canaries.ledger_of_drill())
        yield {
            "VAR_DIR": name,
            "ERASURE_LEDGER": str(ledger),
            "BACKUP_PLACE": settings.BACKUP_PLACE,
            "KEYS_BACKUP_PLACE": settings.KEYS_BACKUP_PLACE,
            "AUDIT_SINKS": "files",
            "AUDIT_FILES_DIR": str(folder / "checkpoints"),
            "EMAIL_URL": "dummymail://",
            "CELERY_BROKER_URL": "filesystem://",
            "CACHE_URL": "",
        }


def _wait_for_backup(progress: Progress) -> None:
    """While one is being made, the newest backup has one of its parts, or none."""
    while under_way.is_backup_coming():
        progress.at(0, step="waiting for the backup that is being made")
        sleep(LOOK_EACH_S)


def _drop_leftovers(by: Actor) -> None:
    """What a drill that was killed has left; while this one runs there is no other."""
    for params in _scratch().values():
        databases.drop(params)
    shutil.rmtree(_folder(), ignore_errors=True)
    cut_off(by=by)


def cut_off(*, by: Actor, problem: str = CUT_OFF, is_told: bool = True) -> None:
    """Says of drills that are called running that they ended before they were through."""
    for row in RestoreDrill.objects.filter(state=RestoreDrill.State.RUNNING):
        _end(row, problem=problem, by=by, is_told=is_told)


@transaction.atomic
def _begin(by: Actor) -> RestoreDrill:
    row = RestoreDrill(started_by=approvals.name_of(by=by))
    row.save(force_insert=True)
    audit.record(by=by, action="restoredrill.started", target=audit.target_of(row), tenant_id=None)
    return row


@transaction.atomic
def _keep(row: RestoreDrill) -> None:
    row.save(force_update=True)


@transaction.atomic
def _end(row: RestoreDrill, *, problem: str, by: Actor, is_told: bool = True) -> None:
    row.state = RestoreDrill.State.FAILED if problem else RestoreDrill.State.PASSED
    row.problem, row.finished_at = problem, timezone.now()
    row.save(force_update=True)
    after = {"backup": row.data_label, "rto_s": row.rto_s, "rpo_s": row.rpo_s, "problem": problem}
    outcome = "failure" if problem else "success"
    target = audit.target_of(row)
    audit.record(by=by, action=f"restoredrill.{row.state}", target=target, tenant_id=None, after=after, outcome=outcome)
    if not is_told:
        return
    if problem:
        label = f"The restore drill failed: {problem}"
        announcing.announce(
            Announcement(kind="drill_failed", tenant_id=None, subject=KIND, label=label, facts={"problem": problem})
        )
        return
    for kind in ("drill_failed", "drill_overdue"):
        announcing.is_over(kind=kind, tenant_id=None, subject=KIND)


def _problem_of(row: RestoreDrill) -> str:
    """The first check that does not hold."""
    return next((f"{check['title']}: no. {check['detail']}" for check in row.checks if not check["ok"]), "")


def _in_words(error: Exception) -> str:
    told = isinstance(error, (ActionRefused, ComplianceError))
    return str(error)[:1000] if told else f"Unexpected: {type(error).__name__}. The log has more."
