"""Exports of the audit log."""

from compliance import selectors_audit_exports
from compliance.actions import audit_exports
from compliance.bundles import files
from compliance.models import AuditExport
from compliance.registry import Class, Person, Store
from compliance.registry import classified as of
from compliance.stores import eraser, table, tenants_eraser

UNTIL = "as long as exports are kept; deleted earlier when somebody whom one names is erased"


def _files_left(person: Person) -> int:
    of_logs = AuditExport.objects.filter(selectors_audit_exports.may_name(person))
    naming = of_logs.filter(selectors_audit_exports.naming(person.surrogate))
    return sum(files.path_of(public_id).exists() for public_id in naming.values_list("public_id", flat=True))


BUNDLES = (
    table(
        AuditExport,
        "Exports of the audit log",
        Class.EXPORTS,
        of(
            nothing="id public_id tenant_id state attempts asked_by_kind asked_at finished_at origin tree_size root "
            "events file_bytes sha256 downloads expires_on deleted_at problem",
            surrogate="subjects filters",
            staff="asked_by_id",
        ),
        tenant="tenant_id",
        why="Who took what of the audit log, and what came of it.",
        severed="The surrogates are cleared with the file.",
        until="kept; not removed yet",
    ),
    Store(
        name="files.audit_exports",
        title="Files of exports of the audit log",
        keeps=Class.EXPORTS,
        columns=of(surrogate="events", staff="actors"),
        why="What auditors are given: the log as it is, with the proof that it is so.",
        erase=eraser(audit_exports.delete_naming),
        remains=_files_left,
        erase_tenant=tenants_eraser(audit_exports.delete_of_tenant),
        until=UNTIL,
    ),
)
