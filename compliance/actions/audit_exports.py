"""Exports of the audit log: asked for, made by a job, handed out, deleted when due or when somebody in them is erased.

An export is of one log: a tenant's, or the platform's. The file holds what the log itself holds, no content and no
secrets. Each download is in the audit log before the first byte leaves.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import partial
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from compliance import audit, audit_warnings, retention, rows, selectors_audit_exports, signing
from compliance.actions import audit_log, jobs
from compliance.bundles import files, filters, source, write
from compliance.contracts import Actor
from compliance.enqueuing import enqueue
from compliance.errors import ActionRefused, AlreadyRunning, ComplianceError
from compliance.evidence import proofs, withholding
from compliance.evidence.tiles import TileMissing
from compliance.models import AuditCheckpoint, AuditExport, AuditLog
from compliance.registry import Class, Person
from compliance.retention_rules import due_on, rule

KIND = selectors_audit_exports.KIND
MOST_AT_ONCE = 3
"""Exports that one may have under way: each takes a processor and disk."""
MOST_ATTEMPTS = 5
NEWEST_CHECKPOINTS = 500
"""Earlier checkpoints for which an export of a part holds proofs, besides the last one of each day."""
GONE = "The file is not there: its time is over, or it was not made yet. Ask for a new export."

HASHES_GONE = "Hashes of the log are gone. Run: manage.py verify_audit"

State = AuditExport.State
log = structlog.get_logger(__name__)


def request(*, export: AuditExport, by: Actor) -> AuditExport:
    """Asks for an export; a job makes it. `export` says of which log and which events.

    Raises:
        ActionRefused: several that `by` asked for are being made, or the filters make no sense.
    """
    try:
        filters.from_json(export.filters)
    except (TypeError, ValueError) as error:
        raise ActionRefused(f"The filters make no sense: {error}.") from error
    export.asked_by_kind, export.asked_by_id = by.kind, by.id
    with transaction.atomic():
        _one_after_the_other(by)
        under_way = AuditExport.objects.filter(_WAITING, asked_by_kind=by.kind, asked_by_id=by.id).count()
        if under_way >= MOST_AT_ONCE:
            raise ActionRefused(f"{under_way} exports that you asked for are being made. Wait until one is ready.")
        rows.create(export, by=by)
        transaction.on_commit(_begin, robust=True)
    return export


def make_waiting(*, by: Actor) -> int:
    """Makes the exports that wait, and those whose process died; returns how many became ready."""
    made = 0
    for export in list(AuditExport.objects.filter(_WAITING).order_by("pk")[:100]):
        try:
            made += make(export=export, by=by)
        except AlreadyRunning:
            continue
        except (jobs.TakenOver, ComplianceError, ActionRefused, OSError) as error:
            log.error("audit export not made", export=str(export.public_id), error=type(error).__name__)
    return made


def make(*, export: AuditExport, by: Actor) -> bool:
    """Makes one export, from the beginning if a process died over it; returns whether it is ready.

    Raises:
        AlreadyRunning: another process makes it.
        ActionRefused, ComplianceError, OSError: it cannot be made; after some attempts it is marked as failed.
    """
    with jobs.running(kind=KIND, key=str(export.pk), tenant_id=export.tenant_id, by=by) as progress:
        export.refresh_from_db()
        if export.state not in (State.QUEUED, State.RUNNING):
            return False
        if export.attempts >= MOST_ATTEMPTS:
            _fail(export, "It was begun several times and not finished. Ask for it again.", by=by)
            return False
        AuditExport.objects.filter(pk=export.pk).update(state=State.RUNNING, attempts=F("attempts") + 1)
        try:
            is_ready = _make(export, progress, by)
        except jobs.TakenOver:
            raise
        except TileMissing as error:
            _fail(export, HASHES_GONE, by=by)
            raise ActionRefused(HASHES_GONE) from error
        except (ActionRefused, ComplianceError, OSError) as error:
            told = str(error) if isinstance(error, (ActionRefused, ComplianceError)) else "The disk could not be used."
            _fail(export, told or type(error).__name__, by=by)
            raise
        progress.at(100, 100)
        progress.result = {"events": export.events or 0, "bytes": export.file_bytes or 0}
    return is_ready


def download(
    *, export: AuditExport, by: Actor, may_download_any: bool = False, first: int = 0, last: int | None = None
) -> Iterator[bytes]:
    """The file, piece by piece, from byte `first` to byte `last`. That it was taken goes into the audit log first.

    Raises:
        ActionRefused: there is none, or none any more; or `by` did not ask for it and may not take those of others.
    """
    if not (may_download_any or (export.asked_by_kind, export.asked_by_id) == (by.kind, by.id)):
        raise ActionRefused("Somebody else asked for this export. Ask for one of your own.")
    if export.state != State.READY or not files.path_of(export.public_id).exists():
        raise ActionRefused(GONE)
    with transaction.atomic():
        AuditExport.objects.filter(pk=export.pk).update(downloads=F("downloads") + 1)
        part = {"from_byte": first} if first or last is not None else {}
        _record(export, "downloaded", by=by, after={"sha256": export.sha256, "events": export.events, **part})
    return files.pieces(export.public_id, first=first, last=last)


def delete(*, export: AuditExport, by: Actor, reason: str = "") -> bool:
    """Deletes the file; the row stays and says that there was one. Returns whether it was not deleted before."""
    with transaction.atomic():
        undeleted = AuditExport.objects.filter(pk=export.pk, deleted_at=None)
        if not undeleted.update(state=State.DELETED, deleted_at=timezone.now(), subjects=[], problem=reason):
            return False
        _record(export, "deleted", by=by, after={"sha256": export.sha256}, reason=reason)
    files.drop(export.public_id)
    return True


def delete_due(*, by: Actor, as_of: date | None = None) -> int:
    """Deletes the files whose time is over, and what was left where a process died; returns how many."""
    today = as_of or timezone.now().date()
    due = AuditExport.objects.filter(deleted_at=None, expires_on__lte=today)
    deleted = sum(delete(export=export, by=by, reason="kept as long as the policy says") for export in due)
    for public_id in AuditExport.objects.filter(deleted_at__isnull=False).values_list("public_id", flat=True):
        files.drop(public_id)  # a process that died between the row and the file
    return deleted


def delete_naming(*, person: Person, by: Actor) -> int:
    """Deletes the files that name somebody who is erased, and has those that are being made begun anew, so that they
    hold what the log still says; returns how many."""
    of_logs = AuditExport.objects.filter(selectors_audit_exports.may_name(person))
    restarted = of_logs.filter(state=State.RUNNING).update(state=State.QUEUED, attempts=0)
    naming = of_logs.filter(selectors_audit_exports.naming(person.surrogate))
    reason = "Somebody whom it named was erased. Ask for a new export."
    return restarted + sum(delete(export=export, by=by, reason=reason) for export in naming)


def delete_of_tenant(*, tenant_id: int, by: Actor) -> int:
    """Deletes all files of a tenant that leaves; returns how many."""
    there = AuditExport.objects.filter(tenant_id=tenant_id, deleted_at=None)
    return sum(delete(export=export, by=by, reason="The tenant left.") for export in there)


_WAITING = Q(state__in=(State.QUEUED, State.RUNNING))


def _begin() -> None:
    enqueue("compliance.tasks.make_audit_exports")


def _one_after_the_other(by: Actor) -> None:
    """Two requests at once of the same person are counted one after the other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"portcullis.{KIND} {by.kind} {by.id}"]
        )


# --- making ------------------------------------------------------------------------------------------------------


def _make(export: AuditExport, progress: jobs.Progress, by: Actor) -> bool:
    progress.at(0, 100, step="checkpoint")
    audit_log.checkpoint(by=by, tenant_id=export.tenant_id)
    latest = AuditCheckpoint.objects.filter(log__tenant_id=export.tenant_id).select_related("log")
    checkpoint = latest.order_by("-size").first()
    if checkpoint is None:
        raise ActionRefused("There is no event in this log yet.")
    with files.writing(export.public_id) as (out, spool):
        made = write.write(
            out,
            spool,
            about=_about(export, checkpoint),
            windows=source.windows(
                checkpoint.log,
                size=checkpoint.size,
                filters=filters.from_json(export.filters),
                is_for_tenant=_is_for_tenant(export),
            ),
            proofs=_proofs(checkpoint),
            sign=partial(signing.sign, kind=write.KIND),
            tell=lambda percent, step: progress.at(min(percent, 99), 100, step=step),
        )
        progress.at(99, 100, step="written")  # who was taken over stops here
    return _finish(export, checkpoint, made, by)


@transaction.atomic
def _finish(export: AuditExport, checkpoint: AuditCheckpoint, made: write.Made, by: Actor) -> bool:
    today = timezone.now().date()
    values: dict[str, Any] = {
        "state": State.READY,
        "problem": made.manifest["payload"].get("warning", ""),
        "finished_at": timezone.now(),
        "origin": checkpoint.log.origin,
        "tree_size": checkpoint.size,
        "root": bytes(checkpoint.root).hex(),
        "events": made.events,
        "file_bytes": made.bytes,
        "sha256": made.sha256,
        "subjects": None if made.subjects is None else sorted(made.subjects),
        "expires_on": due_on(today, _days_kept(export.tenant_id)),
    }
    if not AuditExport.objects.filter(pk=export.pk, state=State.RUNNING).update(**values):
        files.drop(export.public_id)  # deleted meanwhile, or somebody in it was erased: begun anew
        return False
    export.refresh_from_db()
    after = {"events": made.events, "tree_size": checkpoint.size, "sha256": made.sha256, "bytes": made.bytes}
    _record(export, "completed", by=by, after=after)
    return True


@transaction.atomic
def _fail(export: AuditExport, problem: str, *, by: Actor) -> None:
    if AuditExport.objects.filter(_WAITING, pk=export.pk).update(
        state=State.FAILED, problem=problem[:500], finished_at=timezone.now()
    ):
        _record(export, "failed", by=by, after={"problem": problem[:500]}, outcome="failure")


def _days_kept(tenant_id: int | None) -> int:
    """As the policy of the class Exports says; for the platform's own, the one of all tenants."""
    found = retention.rules(Class.EXPORTS)
    return (found.of(tenant_id) if tenant_id is not None else rule(found.default, None)).days


def _about(export: AuditExport, checkpoint: AuditCheckpoint) -> write.About:
    return write.About(
        export=str(export.public_id),
        origin=checkpoint.log.origin,
        tenant_id=export.tenant_id,
        size=checkpoint.size,
        root=bytes(checkpoint.root).hex(),
        checkpoint=checkpoint.note,
        filters=export.filters,
        asked_by=f"{export.asked_by_kind} {export.asked_by_id}",
        made_at=timezone.now(),
        withheld=withholding.OWN if _is_for_tenant(export) else (),
        warning=audit_warnings.warning_of(checkpoint.log.origin),
    )


def _is_for_tenant(export: AuditExport) -> bool:
    """Whether an application of the tenant asked for it: what people in the admin ask for is complete."""
    return export.asked_by_kind == "key"


def _proofs(checkpoint: AuditCheckpoint) -> write.Proofs:
    tree = proofs.Proofs(checkpoint.log, checkpoint.size)

    def grown() -> Iterable[tuple[int, bytes, list[bytes]]]:
        for old, root in _earlier(checkpoint.log, checkpoint.size):
            yield old, root, tree.consistency(old)

    return write.Proofs(inclusion=tree.inclusion, consistency=grown)


def _earlier(tree: AuditLog, size: int) -> list[tuple[int, bytes]]:
    """Earlier checkpoints, by size: the newest ones, and the last one of each day (UTC)."""
    before = AuditCheckpoint.objects.filter(log=tree, size__lt=size, size__gt=0)
    newest = before.order_by("-size").values_list("size", "root")[:NEWEST_CHECKPOINTS]
    by_day = before.annotate(day=TruncDate("signed_at")).order_by("day", "-size").distinct("day")
    daily = [(size, root) for _, size, root in by_day.values_list("day", "size", "root")]
    found = {size: bytes(root) for size, root in (*newest, *daily)}
    return sorted(found.items())


def _record(
    export: AuditExport, verb: str, *, by: Actor, after: dict[str, Any], reason: str = "", outcome: str = "success"
) -> None:
    audit.record(
        by=by,
        action=f"auditexport.{verb}",
        target=audit.target_of(export),
        tenant_id=export.tenant_id,
        after=after,
        reason=reason,
        outcome=outcome,
    )
