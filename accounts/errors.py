"""What can go wrong in this app.

AccountsError
├── TenantNotActive    the tenant is suspended or closed
└── KeyNotActive       the key was revoked, which is for good
"""

from compliance.errors import ActionRefused


class AccountsError(ActionRefused):
    """The base of this app's errors; its text may be shown to an administrator."""


class TenantNotActive(AccountsError):
    """The tenant is suspended or closed."""


class KeyNotActive(AccountsError):
    """The key was revoked, which is for good."""
