"""What can be done with attribution tags."""

from django.db import transaction

from billing.errors import TagInUse
from billing.models import AttributionTag, Budget
from compliance import rows
from compliance.contracts import Actor


def declare(*, tag: AttributionTag, by: Actor) -> AttributionTag:
    """Declares a metadata key as a tag: from now on its values are recorded with usage.

    Raises:
        ValidationError: the tenant has declared it already, or it has no form of a key.
    """
    return rows.create(tag, by=by)


@transaction.atomic
def withdraw(*, tag: AttributionTag, by: Actor, reason: str = "") -> None:
    """Ends the recording of a tag. What is recorded stays.

    Raises:
        TagInUse: a budget names it, and would count nothing any more.
    """
    # One that is added in this very moment is missed: nothing is charged to it until the tag is declared again.
    budget = Budget.objects.filter(tenant=tag.tenant, tag=tag.key).order_by("name").first()
    if budget is not None:
        raise TagInUse(f"The budget {budget.name} names {tag.key} and would count nothing any more; change that first.")
    rows.delete(tag, by=by, reason=reason)
