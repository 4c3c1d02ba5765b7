"""What people are told about usage where they look at what retention removes. `actions/retention.py` removes it."""

from django.conf import settings

from billing import partitions
from compliance.purgers import Purger, Scope, register
from compliance.registry import Class


def register_purger() -> None:
    """Has previews of retention tell about usage, which is not theirs to remove."""
    register(Purger(name="billing_usagerecord", title="usage records", keeps=Class.USAGE, note=note))


def note(scope: Scope) -> str:
    """Which months (UTC) go on a day, for all tenants alike."""
    kept = settings.USAGE_MONTHS_KEPT
    if not kept:
        return "Kept for ever: USAGE_MONTHS_KEPT is 0."
    first = partitions.back(scope.as_of, kept)
    due = [f"{month:%Y-%m}" for month in partitions.before(first)]
    found = f"due: {', '.join(due)}" if due else "none is due"
    return f"Months before {first:%Y-%m} are dropped, for all tenants (USAGE_MONTHS_KEPT = {kept}): {found}."
