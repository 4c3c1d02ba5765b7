"""What webhook messages are signed with: sealed under the root key, bound to the endpoint that it belongs to."""

from datetime import datetime

from django.db.models import Q

from billing.models import WebhookEndpoint, WebhookSecret
from compliance import sealed


def seal(secret: str, *, endpoint: WebhookEndpoint) -> bytes:
    return sealed.seal(secret.encode(), context=_context(endpoint))


def secrets_of(endpoint: WebhookEndpoint, *, at: datetime) -> list[str]:
    """The secrets that sign at that time, the current one first, and the one that it replaces while both are good.

    Raises:
        DecryptionFailed: the root key that one was sealed under is not at hand.
    """
    holding = endpoint.secrets.filter(Q(ends_at=None) | Q(ends_at__gt=at)).order_by("-id")
    context = _context(endpoint)
    return [sealed.unseal(each.sealed, context=context).decode() for each in holding]


def _context(endpoint: WebhookEndpoint) -> str:
    return _place(endpoint.pk)


def _place(endpoint_id: int) -> str:
    return f"webhook-secret/{endpoint_id}"


COLUMN = sealed.Column(
    model=WebhookSecret,
    name="sealed",
    context=lambda row: _place(row.endpoint_id),
    title="webhook secrets",
)
