"""Evidence packs: asked for, made by a job, handed out, deleted when due. Each download is in the audit log first."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from compliance import audit, retention, rows, signing
from compliance.actions import audit_log, jobs
from compliance.contracts import Actor
from compliance.enqueuing import enqueue
from compliance.errors import ActionRefused, AlreadyRunning, ComplianceError
from compliance.evidence import origins
from compliance.models import EvidencePack
from compliance.packs import files, write
from compliance.packs.sections import Period, sections
from compliance.registry import Class
from compliance.retention_rules import due_on, rule

KIND = "evidence_pack"
MOST_ATTEMPTS = 5
LONGEST_DAYS = 3 * 366
UNTIL = "as long as exports are kept"
GONE = "The file is not there: its time is over, or it was not made yet. Ask for a new pack."

State = EvidencePack.State
_WAITING = Q(state__in=(State.QUEUED, State.RUNNING))
log = structlog.get_logger(__name__)


def request(*, pack: EvidencePack, by: Actor) -> EvidencePack:
    """Asks for a pack; a job makes it. `pack` says of which period and for which framework.

    Raises:
        ValidationError: the period makes no sense, or has not begun.
    """
    if pack.first_day and pack.last_day:
        if pack.first_day > timezone.now().date():
            raise ValidationError({"first_day": "This period has not begun."})
        if (pack.last_day - pack.first_day).days > LONGEST_DAYS:
            raise ValidationError({"last_day": "Three years at most: ask for several packs."})
    pack.asked_by_kind, pack.asked_by_id = by.kind, by.id
    with transaction.atomic():
        rows.create(pack, by=by)
        transaction.on_commit(_begin, robust=True)
    return pack


def make_waiting(*, by: Actor) -> int:
    """Makes the packs that wait, and those whose process died; returns how many became ready."""
    made = 0
    for pack in list(EvidencePack.objects.filter(_WAITING).order_by("pk")[:20]):
        try:
            made += make(pack=pack, by=by)
        except AlreadyRunning:
            continue
        except (jobs.TakenOver, ComplianceError, ActionRefused, OSError) as error:
            log.error("evidence pack not made", pack=str(pack.public_id), error=type(error).__name__)
    return made


def make(*, pack: EvidencePack, by: Actor) -> bool:
    """Makes one pack, from the beginning if a process died over it; returns whether it is ready.

    Raises:
        AlreadyRunning: another process makes it.
        ActionRefused, ComplianceError, OSError: it cannot be made; it is marked as failed.
    """
    with jobs.running(kind=KIND, key=str(pack.pk), by=by) as progress:
        pack.refresh_from_db()
        if pack.state not in (State.QUEUED, State.RUNNING):
            return False
        if pack.attempts >= MOST_ATTEMPTS:
            _fail(pack, "It was begun several times and not finished. Ask for it again.", by=by)
            return False
        EvidencePack.objects.filter(pk=pack.pk).update(state=State.RUNNING, attempts=F("attempts") + 1)
        try:
            made, size = _write(pack, progress, by)
        except jobs.TakenOver:
            raise
        except (ActionRefused, ComplianceError, OSError) as error:
            _fail(pack, "The disk could not be used." if isinstance(error, OSError) else str(error), by=by)
            raise
        progress.result = {"records": made.records, "bytes": size}
        return _finish(pack, made, size, by=by)


def download(*, pack: EvidencePack, by: Actor) -> Iterator[bytes]:
    """The file, piece by piece. That it was taken goes into the audit log first.

    Raises:
        ActionRefused: there is none, or none any more.
    """
    if pack.state != State.READY or not files.path_of(pack.public_id).exists():
        raise ActionRefused(GONE)
    with transaction.atomic():
        EvidencePack.objects.filter(pk=pack.pk).update(downloads=F("downloads") + 1)
        _record(pack, "downloaded", by=by, after={"sha256": pack.sha256})
    return files.pieces(pack.public_id)


def delete(*, pack: EvidencePack, by: Actor, reason: str = "") -> bool:
    """Deletes the file; the row stays and says that there was one. Returns whether it was not deleted before."""
    with transaction.atomic():
        there = EvidencePack.objects.filter(pk=pack.pk, deleted_at=None)
        if not there.update(state=State.DELETED, deleted_at=timezone.now(), problem=reason):
            return False
        _record(pack, "deleted", by=by, after={"sha256": pack.sha256}, reason=reason)
    files.drop(pack.public_id)
    return True


def delete_due(*, by: Actor, as_of: date | None = None) -> int:
    """Deletes the files whose time is over, and what a process that died has left; returns how many."""
    due = EvidencePack.objects.filter(deleted_at=None, expires_on__lte=as_of or timezone.now().date())
    deleted = sum(delete(pack=pack, by=by, reason="kept as long as the policy says") for pack in due)
    for public_id in EvidencePack.objects.filter(deleted_at__isnull=False).values_list("public_id", flat=True):
        files.drop(public_id)
    return deleted


def _begin() -> None:
    enqueue("compliance.tasks.make_evidence_packs")


def _write(pack: EvidencePack, progress: jobs.Progress, by: Actor) -> tuple[write.Made, int]:
    progress.at(0, 1, "signing what the audit log is now")
    audit_log.checkpoint(by=by)
    about = write.About(
        pack=str(pack.public_id),
        framework=pack.framework,
        framework_title=pack.get_framework_display(),
        period=Period(pack.first_day, pack.last_day),
        asked_by=f"{pack.asked_by_kind} {pack.asked_by_id}",
        made_at=timezone.now(),
        installation=origins.installation() or "",
    )
    with files.writing(pack.public_id) as (out, spool):
        made = write.write(
            out,
            spool,
            about=about,
            sections=sections(pack.framework),
            sign=partial(signing.sign, kind=write.KIND),
            tell=progress.at,
        )
    return made, files.path_of(pack.public_id).stat().st_size


@transaction.atomic
def _finish(pack: EvidencePack, made: write.Made, size: int, *, by: Actor) -> bool:
    days = rule(retention.rules(Class.EXPORTS).default, None).days
    values: dict[str, Any] = {
        "state": State.READY,
        "problem": "",
        "finished_at": timezone.now(),
        "records": made.records,
        "file_bytes": size,
        "sha256": made.sha256,
        "expires_on": due_on(timezone.now().date(), days),
    }
    if not EvidencePack.objects.filter(pk=pack.pk, state=State.RUNNING).update(**values):
        files.drop(pack.public_id)  # it was deleted meanwhile
        return False
    pack.refresh_from_db()
    _record(pack, "completed", by=by, after={"records": made.records, "sha256": made.sha256, "bytes": size})
    return True


@transaction.atomic
def _fail(pack: EvidencePack, problem: str, *, by: Actor) -> None:
    values = {"state": State.FAILED, "problem": problem[:500], "finished_at": timezone.now()}
    if EvidencePack.objects.filter(_WAITING, pk=pack.pk).update(**values):
        _record(pack, "failed", by=by, after={"problem": problem[:500]}, outcome="failure")


def _record(
    pack: EvidencePack, verb: str, *, by: Actor, after: dict[str, Any], reason: str = "", outcome: str = "success"
) -> None:
    audit.record(
        by=by,
        action=f"evidencepack.{verb}",
        target=audit.target_of(pack),
        tenant_id=None,
        after=after,
        reason=reason,
        outcome=outcome,
    )
