"""Has a worker verify the audit log now: what people in the admin can do without a terminal."""

from django.db import transaction

from compliance import audit, under_way, verification
from compliance.contracts import Actor, Target
from compliance.enqueuing import enqueue
from compliance.errors import AlreadyRunning

TASK = "compliance.tasks.verify_audit_log"


def ask_for(*, by: Actor) -> None:
    """Has a worker verify everything now.

    Raises:
        AlreadyRunning: a verification is under way.
    """
    if under_way.job(verification.KIND):
        raise AlreadyRunning("A verification is under way. Wait for its end.")
    with transaction.atomic():
        audit.record(by=by, action="auditlog.verification_requested", target=Target("auditlog", "all"), tenant_id=None)
        transaction.on_commit(lambda: enqueue(TASK), robust=True)
