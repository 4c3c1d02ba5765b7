"""How far exports of the audit log are, and what their files are called."""

from collections.abc import Iterable

from django.db.models import Q

from compliance.models import AuditExport, JobRun
from compliance.registry import Person

KIND = "audit_export"


def runs_of(exports: Iterable[AuditExport]) -> dict[int, JobRun]:
    """The last run of each export that was begun, by the export's number."""
    keys = [str(export.pk) for export in exports]
    found = JobRun.objects.filter(kind=KIND, key__in=keys).order_by("pk")
    return {int(run.key): run for run in found}


def naming(surrogate: str) -> Q:
    """Exports whose file names somebody, as far as is known."""
    is_there = Q(state=AuditExport.State.READY, deleted_at=None)
    return is_there & (Q(subjects__contains=[surrogate]) | Q(subjects=None))


def may_name(person: Person) -> Q:
    """Exports of the logs that may tell of a person: the tenant's, and the platform's."""
    return Q(tenant_id=person.tenant_id) | Q(tenant_id=None)


def percent_of(export: AuditExport, run: JobRun | None) -> int:
    """How far it is, 0 to 100."""
    if export.finished_at is not None:
        return 100
    return min(99, 100 * run.done // run.total) if run is not None and run.total else 0


def name_of(export: AuditExport) -> str:
    """What the file is called for whoever downloads it."""
    whose = f"tenant-{export.tenant_id}" if export.tenant_id is not None else "platform"
    made = f"{export.finished_at or export.asked_at:%Y%m%dT%H%M%SZ}"
    return f"audit-{whose}-{made}.zip"
