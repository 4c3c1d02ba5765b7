"""The deliveries of an alert, before they are written."""

from collections.abc import Iterable
from datetime import datetime

from billing.models import Alert, AlertDelivery, WebhookEndpoint


def by_mail(alert: Alert, addresses: Iterable[str], *, at: datetime) -> list[AlertDelivery]:
    channel = AlertDelivery.Channel.EMAIL
    return [AlertDelivery(alert=alert, channel=channel, target=address, next_attempt_at=at) for address in addresses]


def by_webhook(alert: Alert, endpoints: Iterable[WebhookEndpoint], *, at: datetime) -> list[AlertDelivery]:
    channel = AlertDelivery.Channel.WEBHOOK
    return [
        AlertDelivery(alert=alert, channel=channel, target=endpoint.url, endpoint=endpoint, next_attempt_at=at)
        for endpoint in endpoints
    ]
