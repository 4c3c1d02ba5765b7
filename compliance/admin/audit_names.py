"""What audit events call those whom they refer to."""

from collections.abc import Sequence

from django.utils.safestring import SafeString

from compliance.admin.names import Names
from compliance.models import AuditEvent


def actor_of(event: AuditEvent, names: Names) -> SafeString | str:
    """Who it was, for people."""
    if event.actor_kind == "user":
        return names.of("user", event.actor_id).link
    if event.actor_kind == "key":
        return names.of("apikey", event.actor_id).link
    if event.actor_kind == "anonymous":
        return "nobody known" + (f" ({event.actor_id})" if event.actor_id not in ("", event.actor_kind) else "")
    return event.actor_id if event.actor_kind == event.actor_id else f"{event.actor_kind} {event.actor_id}"


def names_of(events: Sequence[AuditEvent]) -> Names:
    """The names of all that these events refer to."""
    return Names(
        reference
        for event in events
        for reference in (
            (event.target_kind, event.target_id),
            ("tenant", str(event.tenant_id)),
            ("apikey" if event.actor_kind == "key" else event.actor_kind, event.actor_id),
        )
    )
