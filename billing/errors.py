"""What can go wrong in this app.

BillingError
├── TagInUse             a budget names the attribution tag
├── EndpointNotActive    the webhook endpoint is paused or disabled
├── RealUsage            synthetic usage would mix with real one
└── NoKeys               there is no key that synthetic usage could be of
"""

from compliance.errors import ActionRefused


class BillingError(ActionRefused):
    """The base of this app's errors; its text may be shown to an administrator."""


class TagInUse(BillingError):
    """A budget names the attribution tag."""


class EndpointNotActive(BillingError):
    """The webhook endpoint is paused or disabled."""


class RealUsage(BillingError):
    """Synthetic usage would mix with real one, and could not be told from it."""


class NoKeys(BillingError):
    """There is no key that synthetic usage could be of."""
