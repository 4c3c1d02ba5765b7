"""What can go wrong in this app.

AccountsError
├── TenantNotActive    the tenant is suspended or closed
├── KeyNotActive       the key was revoked, which is for good
├── SecretWaits        the new secret was not claimed yet
├── NoOverlap          no old secret works beside the current one
└── LinkOver           the link to a secret was used, has ended, or never was
"""

from compliance.errors import ActionRefused


class AccountsError(ActionRefused):
    """The base of this app's errors; its text may be shown to an administrator."""


class TenantNotActive(AccountsError):
    """The tenant is suspended or closed."""


class KeyNotActive(AccountsError):
    """The key was revoked, which is for good."""


class SecretWaits(AccountsError):
    """The new secret was not claimed yet."""


class NoOverlap(AccountsError):
    """No old secret works beside the current one."""


class LinkOver(AccountsError):
    """The link to a secret was used, has ended, or never was."""
