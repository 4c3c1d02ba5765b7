"""The record of what was done, and its proofs."""

from compliance import named
from compliance.actions import redactions
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditPending, AuditTally, AuditTile
from compliance.privacy.common import NOT_REMOVED
from compliance.registry import Class
from compliance.registry import classified as of
from compliance.stores import eraser, table

AUDIT = (
    table(
        AuditEvent,
        "Audit log",
        Class.AUDIT,
        of(
            nothing="id occurred_at tenant_id action target_kind outcome request_id version salts redacted",
            surrogate="target_id before after subjects",
            staff="actor_kind actor_id reason ip user_agent",
        ),
        tenant="tenant_id",
        why="Who did what: it proves that everything else here is true. It names people by surrogates only.",
        erase=eraser(redactions.redact),
        sweep=eraser(redactions.redact),
        remains=named.remaining,
        withheld=(
            "What names the person is destroyed in every event but those about the erasure itself: they prove that it"
            " was done, and keep a surrogate that is nobody's any more (GDPR, articles 5(2) and 17(3)(e))."
        ),
        purger="compliance_auditevent",
    ),
    table(
        AuditPending,
        "Events without a place in their log",
        Class.AUDIT,
        of(nothing="event_id"),
        why="What the sequencer takes next.",
    ),
    table(
        AuditTally,
        "Counts of this minute",
        Class.AUDIT,
        of(
            nothing="id minute action tenant_id target_kind outcome reason place count request_id",
            staff="actor_kind actor_id target_id seen",
        ),
        tenant="tenant_id",
        why="Refusals and failed sign-ins until their minute is over; then the audit log has them.",
        until="two minutes",
    ),
    table(
        AuditLog,
        "Logs",
        Class.AUDIT,
        of(nothing="id tenant_id origin size pruned_to created_at"),
        tenant="tenant_id",
        why="Each tenant's tree, and the platform's.",
        until=NOT_REMOVED,
    ),
    table(
        AuditLeaf,
        "Places of events",
        Class.AUDIT,
        of(nothing="event_id log_id index"),
        why="Where each event is in its tree.",
        purger="compliance_auditevent",
    ),
    table(
        AuditTile,
        "Hashes of the trees",
        Class.AUDIT,
        of(nothing="id log_id level index hashes"),
        why="Prove that nothing was altered. A hash tells nothing of a field, as its salt is random.",
        until=NOT_REMOVED,
    ),
    table(
        AuditCheckpoint,
        "Checkpoints",
        Class.AUDIT,
        of(nothing="id log_id size root note signed_at delivered_at delivered_to"),
        why="The trees' roots, signed.",
        until=NOT_REMOVED,
    ),
)
