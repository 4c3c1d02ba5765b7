"""What can be done with a tenant's content policy: set it, change it, remove it."""

from django.core.exceptions import ValidationError
from django.db import transaction

from compliance import rows, selectors
from compliance.contracts import Actor
from compliance.models import ContentPolicy


@transaction.atomic
def put(*, policy: ContentPolicy, by: Actor, reason: str = "") -> ContentPolicy:
    """Sets what happens with a tenant's content, in place of what was set before.

    Raises:
        ValidationError: the tenant has no purpose of that name, or no notice of it that people could have seen.
    """
    _require_told(policy)
    if ContentPolicy.objects.select_for_update().filter(pk=policy.tenant_id).exists():
        policy._state.adding = False
        return rows.change(policy, by=by, reason=reason)
    return rows.create(policy, by=by, reason=reason)


@transaction.atomic
def remove(*, policy: ContentPolicy, by: Actor, reason: str = "") -> None:
    """Removes a policy: nothing more is stored, and nobody needs to consent. What is stored stays until it is due."""
    rows.delete(policy, by=by, reason=reason)


def _require_told(policy: ContentPolicy) -> None:
    """Nobody can consent to processing that no notice tells of, so such a policy would refuse everyone."""
    purpose = policy.processing_purpose
    if not purpose:
        return
    if not selectors.purposes_of(policy.tenant_id).filter(slug=purpose).exists():
        raise ValidationError({"processing_purpose": f"The tenant has no purpose {purpose}; add it first."})
    if not selectors.published(policy.tenant_id, purpose).exists():
        raise ValidationError(
            {
                "processing_purpose": f"No notice about {purpose} is published, so nobody could consent and every "
                "request would be refused. Publish one first."
            }
        )
