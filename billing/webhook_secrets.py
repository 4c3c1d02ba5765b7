"""What webhook messages are signed with: sealed under the root key, bound to the endpoint that it belongs to."""

from datetime import datetime

from django.conf import settings
from django.db.models import Q

from billing.models import WebhookEndpoint
from compliance import crypto


def seal(secret: str, *, endpoint: WebhookEndpoint) -> bytes:
    return crypto.seal(secret.encode(), keys=settings.ROOT_KEYS, context=_context(endpoint))


def secrets_of(endpoint: WebhookEndpoint, *, at: datetime) -> list[str]:
    """The secrets that sign at that time, the current one first, and the one that it replaces while both are good.

    Raises:
        DecryptionFailed: the root key that one was sealed under is not at hand.
    """
    holding = endpoint.secrets.filter(Q(ends_at=None) | Q(ends_at__gt=at)).order_by("-id")
    keys, context = settings.ROOT_KEYS, _context(endpoint)
    return [crypto.unseal(bytes(each.sealed), keys=keys, context=context).decode() for each in holding]


def _context(endpoint: WebhookEndpoint) -> str:
    return f"webhook-secret/{endpoint.pk}"
