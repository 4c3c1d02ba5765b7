"""What can be done with attribution tags."""

from billing.models import AttributionTag
from compliance import rows
from compliance.contracts import Actor


def declare(*, tag: AttributionTag, by: Actor) -> AttributionTag:
    """Declares a metadata key as a tag: from now on its values are recorded with usage.

    Raises:
        ValidationError: the tenant has declared it already, or it has no form of a key.
    """
    return rows.create(tag, by=by)


def withdraw(*, tag: AttributionTag, by: Actor, reason: str = "") -> None:
    """Ends the recording of a tag. What is recorded stays."""
    rows.delete(tag, by=by, reason=reason)
