"""What can go wrong in this app.

BillingError
├── TagInUse             a budget names the attribution tag
└── EndpointNotActive    the webhook endpoint is paused or disabled
"""

from compliance.errors import ActionRefused


class BillingError(ActionRefused):
    """The base of this app's errors; its text may be shown to an administrator."""


class TagInUse(BillingError):
    """A budget names the attribution tag."""


class EndpointNotActive(BillingError):
    """The webhook endpoint is paused or disabled."""
