"""Who may read what of billing, where a door has no model of its own for Django's admin to decide by."""

from typing import Any


def may_read_usage(user: Any) -> bool:
    """Whether it is staff who may see usage records: as the admin decides about their list."""
    rights = ("billing.view_usagerecord", "billing.change_usagerecord")
    return bool(user.is_active and user.is_staff and any(user.has_perm(right) for right in rights))
