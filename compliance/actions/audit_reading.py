"""Reading of the audit log by applications: on record too, counted by key, kind of read and minute."""

from compliance import selectors_audit
from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.contracts import Actor, Target


def note(*, tenant_id: int, what: str, by: Actor) -> None:
    """A tenant's log is read; `what` is events, event, checkpoints or consistency.

    The object is the log; as long as nothing of it was sequenced there is none, and it is the tenant.
    """
    log = selectors_audit.log_of(tenant_id)
    one = Occurrence(
        action="auditlog.read",
        by=by,
        target=Target("auditlog", str(log.pk)) if log else Target("tenant", str(tenant_id)),
        tenant_id=tenant_id,
        outcome="success",
        place=f"/api/audit/{what}",
    )
    tallies.count(occurrences=[one])
