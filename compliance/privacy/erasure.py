"""Who was erased."""

from compliance.keyring.models import ErasureEntry
from compliance.models import (
    Erasure,
    ErasureMark,
    ErasureStep,
)
from compliance.privacy.common import EVIDENCE, NOT_REMOVED
from compliance.registry import Class
from compliance.registry import classified as of
from compliance.stores import table

ERASURE = (
    table(
        Erasure,
        "Erasures",
        Class.AUDIT,
        of(
            nothing="id tenant_id request_id state requested_at fenced_at destroyed_at finished_at told_at restricts"
            " ledger_number key_ids"
            " fingerprints canary export certificate",
            surrogate="surrogate successor lookup",
            subject="reason",
            staff="requested_by problem",
        ),
        person="surrogate",
        tenant="tenant_id",
        why="Proves that people were erased, and goes on with what was cut off.",
        withheld=EVIDENCE,
        until=NOT_REMOVED,
    ),
    table(
        ErasureStep,
        "Steps of erasures",
        Class.AUDIT,
        of(nothing="id position name state erased remains attempts error done_at", surrogate="erasure_id"),
        person="erasure__surrogate",
        tenant="erasure__tenant_id",
        why="How far each erasure is.",
        withheld=EVIDENCE,
        until=NOT_REMOVED,
    ),
    table(
        ErasureMark,
        "How far erasures were replayed",
        Class.AUDIT,
        of(nothing="id number entry_hash replayed_at"),
        why="Keeps a restored database shut until erasures are replayed.",
    ),
    table(
        ErasureEntry,
        "Ledger of erasures",
        Class.AUDIT,
        of(
            nothing="number erasure_id tenant_id key_ids fingerprints recorded_at entry_hash",
            surrogate="surrogate successor lookup",
        ),
        why="Repeats erasures after a restore.",
        withheld="The keyed hash that keeps an erased person erased after a restore (GDPR, 17(3)(b) and 32).",
        until="as long as a backup could bring somebody back; not removed yet",
    ),
)
