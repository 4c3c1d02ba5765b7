"""What the endpoints of the audit log give, and what the schema says of it."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from compliance.api import params, shapes
from compliance.evidence import leaves, withholding
from compliance.models import AuditCheckpoint, AuditEvent
from compliance.selectors_audit import Proof

MOST_CHARACTERS = 100
WITHHELD = "Withheld where people in the admin or commands acted: then it is in `redacted`."


class ActorOut(serializers.Serializer[Any]):
    """Who did it."""

    kind = serializers.ChoiceField(["user", "key", "command", "task", "system", "anonymous"])
    id = serializers.CharField(help_text="A primary key or a name.")


class TargetOut(serializers.Serializer[Any]):
    """What it was done to."""

    kind = serializers.CharField()
    id = serializers.CharField()


class AuditEventOut(serializers.Serializer[Any]):
    """One event."""

    id = serializers.IntegerField()
    occurred_at = serializers.DateTimeField()
    tenant_id = serializers.IntegerField()
    actor = ActorOut()
    action = serializers.CharField(help_text="As `budget.changed`.")
    target = TargetOut()
    outcome = serializers.ChoiceField(["success", "refused", "failure"])
    reason = serializers.CharField(allow_blank=True, help_text=WITHHELD)
    before = serializers.DictField(help_text="The changed fields as they were.")
    after = serializers.DictField(help_text="The changed fields as they became.")
    request_id = serializers.CharField(allow_blank=True)
    ip = serializers.CharField(allow_null=True, help_text=WITHHELD)
    user_agent = serializers.CharField(allow_blank=True, help_text=WITHHELD)
    version = serializers.IntegerField(help_text="Of the event's shape.")
    redacted = serializers.ListField(
        child=serializers.CharField(),
        help_text="Fields whose values were erased, with a person whom they named, or are withheld: from where and why "
        "your administrators' staff acted.",
    )


class EventPage(serializers.Serializer[Any]):
    """Events, the newest first."""

    events = AuditEventOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it as `before` for those that follow.")


class CheckpointOut(serializers.Serializer[Any]):
    """What the log is at a size, signed."""

    origin = serializers.CharField(help_text="The log's name.")
    size = serializers.IntegerField(help_text="How many events it is over.")
    # The metaclass takes fields out of the class, so `Field.root` stays what it is.
    root = serializers.CharField(help_text="The root of the tree (RFC 9162), in hex.")  # type: ignore[assignment]
    note = serializers.CharField(help_text="C2SP tlog-checkpoint in a signed note. Keep it; any tool verifies it.")
    signed_at = serializers.DateTimeField()


class ProofOut(serializers.Serializer[Any]):
    """Leads from the event's leaf to the checkpoint's root."""

    index = serializers.IntegerField(help_text="The event's place in the log, from 0.")
    leaf = serializers.CharField(help_text="SHA-256, in hex.")
    hashes = serializers.ListField(child=serializers.CharField(), help_text="Of RFC 9162, 2.1.3, in hex.")
    salts = serializers.CharField(
        help_text="16 bytes for each field of the leaf that is there, in the order of the fields' names, in hex."
    )
    redacted = serializers.DictField(
        child=serializers.CharField(), help_text="Commitments of the fields that were erased or are withheld, in hex."
    )
    checkpoint = CheckpointOut()


class EventWithProof(serializers.Serializer[Any]):
    """An event, and that it is in the log."""

    event = AuditEventOut()
    proof = ProofOut(allow_null=True, help_text="Null until the next checkpoint is signed, within a minute.")


class CheckpointPage(serializers.Serializer[Any]):
    """Checkpoints, the newest first."""

    checkpoints = CheckpointOut(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Send it as `before` for those that follow.")


class ConsistencyOut(serializers.Serializer[Any]):
    """That the log of the greater size begins as that of the smaller one was."""

    old = CheckpointOut()
    new = CheckpointOut()
    hashes = serializers.ListField(child=serializers.CharField(), help_text="Of RFC 9162, 2.1.4, in hex.")


FILTERS = {
    "actor_kind": "`user`, `key`, `command`, `task`, `system`, or `anonymous` for nobody who is known.",
    "actor_id": "The number, or the name, of that.",
    "action": "As `budget.changed`.",
    "target_kind": "What it was done to, as `budget`.",
    "target_id": "The number of that; send `target_kind` with it.",
    "outcome": "`success`, `refused` or `failure`.",
    "request_id": "As the answer's `X-Request-ID` named it.",
}
TIMES = {"since": "From this moment on (RFC 3339).", "until": "Before this moment (RFC 3339)."}


def parameters() -> list[OpenApiParameter]:
    """Those of a list of events."""
    return [
        *(shapes.parameter(name, text) for name, text in FILTERS.items()),
        *(shapes.parameter(name, text, OpenApiTypes.DATETIME) for name, text in TIMES.items()),
        shapes.parameter("before", "The `next` of the page before."),
        shapes.parameter("limit", f"1 to {params.MOST}.", int, default=params.DEFAULT),
    ]


def event(row: AuditEvent) -> dict[str, Any]:
    """An event as `AuditEventOut` says, as far as tenants are told of it."""
    gone = _withheld(row)
    return {
        "id": row.pk,
        "occurred_at": row.occurred_at,
        "tenant_id": row.tenant_id,
        "actor": {"kind": row.actor_kind, "id": row.actor_id},
        "action": row.action,
        "target": {"kind": row.target_kind, "id": row.target_id},
        "outcome": row.outcome,
        "reason": "" if "reason" in gone else row.reason,
        "before": {name: value for name, value in row.before.items() if f"before.{name}" not in gone},
        "after": {name: value for name, value in row.after.items() if f"after.{name}" not in gone},
        "request_id": row.request_id,
        "ip": None if "ip" in gone else row.ip,
        "user_agent": "" if "user_agent" in gone else row.user_agent,
        "version": row.version,
        "redacted": sorted({*row.redacted, *gone}),
    }


def _withheld(row: AuditEvent) -> set[str]:
    own = [name for name in withholding.OWN if getattr(row, name)]
    changed = [f"{side}.{name}" for side in ("before", "after") for name in getattr(row, side)]
    return set(withholding.withheld_names(row.actor_kind, [*own, *changed]))


def checkpoint(row: AuditCheckpoint) -> dict[str, Any]:
    """A checkpoint as `CheckpointOut` says."""
    return {
        "origin": row.log.origin,
        "size": row.size,
        "root": bytes(row.root).hex(),
        "note": row.note,
        "signed_at": row.signed_at,
    }


def proof(row: AuditEvent, found: Proof) -> dict[str, Any]:
    """A proof as `ProofOut` says, for what `event` shows."""
    fields = leaves.fields_of({name: getattr(row, name) for name in leaves.COLUMNS})
    _, salts, redacted = withholding.withheld(fields, bytes(row.salts), row.redacted)
    return {
        "index": found.place.index,
        "leaf": found.leaf.hex(),
        "hashes": [each.hex() for each in found.hashes],
        "salts": salts.hex(),
        "redacted": redacted,
        "checkpoint": checkpoint(found.checkpoint),
    }
