"""The stores of this app that go by the day, in the order in which a run takes them; and those that go otherwise."""

from django.db.models import Count, Min

from compliance.models import SubjectExport
from compliance.purgers import Purger, Scope, register
from compliance.purging import audit, consents, decisions, requests, transcripts
from compliance.registry import Class


def register_all() -> None:
    """Registers them."""
    register(
        Purger(
            name=transcripts.CONTENT.table,
            title="conversations",
            keeps=Class.CONTENT,
            plan=transcripts.plan,
            steps=transcripts.steps,
        ),
        Purger(
            name=decisions.DECISIONS.table,
            title="storage decisions",
            keeps=Class.METADATA,
            plan=decisions.plan,
            steps=decisions.steps,
        ),
        Purger(
            name=consents.STORE,
            title="consent records",
            keeps=Class.CONSENT,
            plan=consents.plan,
            steps=consents.steps,
        ),
        Purger(
            name=requests.STORE,
            title="subject requests",
            keeps=Class.REQUESTS,
            plan=requests.plan,
            steps=requests.steps,
        ),
        Purger(name="exports", title="exports", keeps=Class.EXPORTS, note=_exports),
        Purger(name=audit.STORE, title="audit events", keeps=Class.AUDIT, plan=audit.plan, steps=audit.steps),
    )


def _exports(scope: Scope) -> str:
    due = SubjectExport.objects.filter(deleted_at=None, expires_on__lte=scope.as_of)
    if scope.tenant_id is not None:
        due = due.filter(tenant_id=scope.tenant_id)
    found = due.aggregate(files=Count("pk"), oldest=Min("created_at"))
    files = f"{found['files']} due" if found["files"] else "none due"
    return f"Files are deleted by a task of their own, on the day that each one names: {files}."
