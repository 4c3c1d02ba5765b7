"""What can be done with the purposes that a tenant adds to everybody's."""

from django.core.exceptions import ValidationError
from django.db import transaction

from compliance import rows
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.models import ConsentNotice, Purpose


@transaction.atomic
def add(*, purpose: Purpose, by: Actor) -> Purpose:
    """Adds a purpose of one tenant.

    Raises:
        ValidationError: it has no tenant, or one of everybody's has that name.
    """
    if purpose.tenant_id is None:
        raise ValidationError({"tenant": "Choose the tenant whose purpose it is; everybody's are built in."})
    if Purpose.objects.filter(tenant=None, slug=purpose.slug).exists():
        raise ValidationError({"slug": f"{purpose.slug} is a purpose that everybody has already; choose another name."})
    return rows.create(purpose, by=by)


def change(*, purpose: Purpose, by: Actor) -> Purpose:
    """Changes how a purpose is described, and whether Sec-GPC opts out of it. Its short name and tenant stay.

    Raises:
        ActionRefused: it is built in.
    """
    if purpose.tenant_id is None:
        raise ActionRefused(f"{purpose} is a purpose that everybody has; it cannot be changed.")
    return rows.change(purpose, by=by, fields=("name", "description", "honours_gpc"))


@transaction.atomic
def remove(*, purpose: Purpose, by: Actor, reason: str = "") -> None:
    """Deletes a purpose that nothing was ever told or asked about.

    Raises:
        ActionRefused: it is built in, or there are notices of it.
    """
    if purpose.tenant_id is None:
        raise ActionRefused(f"{purpose} is a purpose that everybody has; it cannot be removed.")
    if ConsentNotice.objects.filter(tenant_id=purpose.tenant_id, purpose=purpose.slug).exists():
        raise ActionRefused(f"There are notices about {purpose}, which must stay to be shown; so it stays as well.")
    rows.delete(purpose, by=by, reason=reason)
