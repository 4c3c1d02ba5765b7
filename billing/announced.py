"""What was announced and is not over (`compliance/announcing.py`)."""

from billing.models import Alert


def open_subjects(kind: str, tenant_id: int | None) -> list[str]:
    """The subjects of that kind, oldest first; `tenant_id` None: those of the platform."""
    still = Alert.objects.filter(kind=kind, tenant=tenant_id, cleared_at=None).order_by("id")
    return list(still.values_list("subject", flat=True))
