"""Evidence packs, and what is stated about controls."""

from compliance.actions import packs
from compliance.models import ControlStatement, EvidencePack
from compliance.registry import Class, Store
from compliance.registry import classified as of
from compliance.stores import table

PACKS = (
    table(
        EvidencePack,
        "Evidence packs",
        Class.EXPORTS,
        of(
            nothing="id public_id framework first_day last_day state problem attempts asked_by_kind asked_at "
            "finished_at records file_bytes sha256 downloads expires_on deleted_at",
            staff="asked_by_id",
        ),
        why="Who took which evidence, and what came of it.",
        until="kept; not removed yet",
    ),
    table(
        ControlStatement,
        "Statements about controls",
        Class.POLICY,
        of(nothing="id control role text said_at expires_on", staff="said_by"),
        why="What people state where nothing can be computed.",
    ),
    Store(
        name="files.evidence_packs",
        title="Files of evidence packs",
        keeps=Class.EXPORTS,
        columns=of(staff="actors"),
        why="What auditors are given. No end user is named in it.",
        until=packs.UNTIL,
    ),
)
