"""What can be done with retention policies. A change holds at once: the next purge counts by it."""

from django.core.exceptions import ValidationError
from django.db import transaction

from compliance import rows
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.models import RetentionPolicy
from compliance.retention import check, take_turn


@transaction.atomic
def add(*, policy: RetentionPolicy, by: Actor) -> RetentionPolicy:
    """Adds a tenant's own policy for a class of data.

    Raises:
        ValidationError: there is one already, or the law requires more days.
    """
    take_turn()
    check(policy)
    return rows.create(policy, by=by, reason=policy.reason)


@transaction.atomic
def change(*, policy: RetentionPolicy, by: Actor) -> RetentionPolicy:
    """Changes for how long a class is kept, and what the law requires.

    Raises:
        ValidationError: the law requires more days; or it would become another tenant's or class'.
    """
    take_turn()
    stored = RetentionPolicy.objects.select_for_update().get(pk=policy.pk)
    if (stored.tenant_id, stored.data_class) != (policy.tenant_id, policy.data_class):
        raise ValidationError("A policy stays one of its tenant and class. Add another one instead.")
    check(policy)
    policy.version = stored.version + 1
    return rows.change(policy, by=by, reason=policy.reason)


@transaction.atomic
def remove(*, policy: RetentionPolicy, by: Actor, reason: str = "") -> None:
    """Deletes a tenant's own policy: everybody's holds.

    Raises:
        ActionRefused: it is everybody's.
    """
    if policy.tenant_id is None:
        raise ActionRefused("This one holds for every tenant without its own. Change it instead.")
    take_turn()
    rows.delete(policy, by=by, reason=reason)
