"""What can be done with a tenant: open, change, suspend, resume, close."""

from django.db import transaction
from django.utils import timezone

from accounts.actions import keys
from accounts.errors import TenantNotActive
from accounts.models import ApiKey, Tenant
from compliance import rows
from compliance.contracts import Actor


def open(*, tenant: Tenant, by: Actor) -> Tenant:
    """Adds a tenant.

    Raises:
        ValidationError: the slug is taken, or the time zone unknown.
    """
    return rows.create(tenant, by=by)


def change(*, tenant: Tenant, by: Actor) -> Tenant:
    """Saves changed names, time zone and how keys are rotated.

    A new time zone counts from each budget's next period on; another rotation from its next planning on
    (`actions/rotations.py`), and never without notice.
    """
    return rows.change(tenant, by=by, fields=("slug", "name", "time_zone", "key_rotation_days", "key_overlap_days"))


def suspend(*, tenant: Tenant, by: Actor, reason: str = "") -> Tenant:
    """Refuses every request of the tenant until it is resumed.

    Raises:
        TenantNotActive: it is closed.
    """
    return _set_status(tenant, Tenant.Status.SUSPENDED, by=by, verb="suspended", reason=reason)


def resume(*, tenant: Tenant, by: Actor, reason: str = "") -> Tenant:
    """Serves a suspended tenant again.

    Raises:
        TenantNotActive: it is closed.
    """
    return _set_status(tenant, Tenant.Status.ACTIVE, by=by, verb="resumed", reason=reason)


@transaction.atomic
def close(*, tenant: Tenant, by: Actor, reason: str = "") -> Tenant:
    """Ends a tenant for good: its keys are revoked, its records stay.

    Raises:
        TenantNotActive: it is closed already.
    """
    Tenant.objects.select_for_update().get(pk=tenant.pk)  # first: from here on nobody issues it a key
    for key in ApiKey.objects.filter(tenant=tenant).exclude(status=ApiKey.Status.REVOKED):
        keys.revoke(key=key, by=by, reason=reason or "tenant closed")
    return _set_status(tenant, Tenant.Status.CLOSED, by=by, verb="closed", reason=reason)


def forget_salt(*, tenant_id: int, by: Actor) -> int:
    """Destroys the salt of a tenant that has left: nobody can tell any more whose its people's lookups were."""
    return Tenant.objects.filter(pk=tenant_id).exclude(pseudonym_salt=b"").update(pseudonym_salt=b"")


@transaction.atomic
def _set_status(tenant: Tenant, status: Tenant.Status, *, by: Actor, verb: str, reason: str) -> Tenant:
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if tenant.status == Tenant.Status.CLOSED:
        raise TenantNotActive(f"{tenant} is closed, which is for good.")
    tenant.status = status
    tenant.closed_at = timezone.now() if status == Tenant.Status.CLOSED else None
    return rows.change(tenant, by=by, verb=verb, reason=reason, fields=("status", "closed_at"))
