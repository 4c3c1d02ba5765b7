"""What a purge report says: what was removed, why, what was kept by which hold, and by which plan."""

from typing import Any

from compliance.models import LegalHold, PurgeRun
from compliance.purgers import title_of


def document(row: PurgeRun) -> dict[str, Any]:
    """The report of a run, as JSON values; it is signed as `purge_report`."""
    lines = row.plan["lines"]
    return {
        "run": row.pk,
        "as_of": row.as_of.isoformat(),
        "state": row.state,
        "error": row.error,
        "plan_hash": row.plan_hash,
        "policies": row.plan["policies"],
        "started_by": row.started_by,
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "removed_rows": row.removed_rows,
        "held_rows": row.kept_rows,
        "lines": [{**line, "what": title_of(line["store"]), "removed": _removed(row, line)} for line in lines],
        "holds": _holds({int(pk) for line in lines for pk in line["held"]}),
    }


def _removed(row: PurgeRun, line: dict[str, Any]) -> int:
    removed: int = row.removed.get(line["store"], {}).get(str(line["tenant"]), 0)
    return removed


def _holds(numbers: set[int]) -> list[dict[str, Any]]:
    found = LegalHold.objects.filter(pk__in=numbers).order_by("pk")
    return [{"hold": row.pk, "tenant": row.tenant_id, "title": row.title, "matter": row.matter} for row in found]
