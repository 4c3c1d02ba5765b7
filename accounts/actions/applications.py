"""What can be done with an application: add, change, suspend, resume, remove."""

from django.db import transaction

from accounts.errors import TenantNotActive
from accounts.models import Application, Tenant
from compliance import rows
from compliance.contracts import Actor


@transaction.atomic
def add(*, application: Application, by: Actor) -> Application:
    """Adds an application to its tenant.

    Raises:
        TenantNotActive: the tenant is closed.
        ValidationError: the slug is taken within the tenant.
    """
    tenant = Tenant.objects.select_for_update().get(pk=application.tenant_id)
    if tenant.status == Tenant.Status.CLOSED:
        raise TenantNotActive(f"{tenant} is closed; it takes no more applications.")
    return rows.create(application, by=by)


def change(*, application: Application, by: Actor) -> Application:
    """Saves changed fields of an application."""
    return rows.change(application, by=by, fields=("slug", "name"))


def suspend(*, application: Application, by: Actor, reason: str = "") -> Application:
    """Refuses every request of the application until it is resumed."""
    return _set_status(application, Application.Status.SUSPENDED, by=by, verb="suspended", reason=reason)


def resume(*, application: Application, by: Actor, reason: str = "") -> Application:
    """Serves a suspended application again."""
    return _set_status(application, Application.Status.ACTIVE, by=by, verb="resumed", reason=reason)


def remove(*, application: Application, by: Actor, reason: str = "") -> None:
    """Deletes an application that never had a key.

    Raises:
        ProtectedError: it has keys or budgets.
    """
    rows.delete(application, by=by, reason=reason)


@transaction.atomic
def _set_status(
    application: Application, status: Application.Status, *, by: Actor, verb: str, reason: str
) -> Application:
    application = Application.objects.select_for_update().get(pk=application.pk)
    application.status = status
    return rows.change(application, by=by, verb=verb, reason=reason, fields=("status",))
