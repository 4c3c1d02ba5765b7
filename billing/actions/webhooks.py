"""What can be done with webhook endpoints."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from billing import deliveries, webhook_secrets, webhooks
from billing.errors import EndpointNotActive
from billing.models import Alert, AlertDelivery, AlertKind, WebhookEndpoint, WebhookSecret
from compliance import audit, outside, rows
from compliance.contracts import Actor

OVERLAP = timedelta(days=1)
"""How long a replaced secret still signs beside the new one."""


@transaction.atomic
def add(*, endpoint: WebhookEndpoint, by: Actor) -> tuple[WebhookEndpoint, str]:
    """Adds an endpoint and returns it with its secret, which nobody can look up later.

    Raises:
        ValidationError: the name is taken, or the URL leads where no webhook may go.
    """
    _check(endpoint)
    rows.create(endpoint, by=by)
    return endpoint, _new_secret(endpoint, by=by)


def change(*, endpoint: WebhookEndpoint, by: Actor) -> WebhookEndpoint:
    """Changes an endpoint's name or URL; what is on its way goes to the new one.

    Raises:
        ValidationError: as with `add`.
    """
    _check(endpoint)
    return rows.change(endpoint, by=by, fields=("name", "url"))


@transaction.atomic
def rotate(*, endpoint: WebhookEndpoint, by: Actor, reason: str = "", overlap: timedelta = OVERLAP) -> str:
    """Replaces the secret and returns the new one.

    The old one signs beside it for `overlap`; one that is even older ends at once.
    """
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    now = timezone.now()
    for secret in endpoint.secrets.filter(ends_at__gt=now):
        secret.ends_at = now
        rows.change(secret, by=by, verb="ended", reason=reason)
    for secret in endpoint.secrets.filter(ends_at=None):
        secret.ends_at = now + overlap
        rows.change(secret, by=by, verb="replaced", reason=reason)
    return _new_secret(endpoint, by=by)


def pause(*, endpoint: WebhookEndpoint, by: Actor, reason: str = "") -> WebhookEndpoint:
    """Posts nothing more until it is resumed. What is on its way waits; new alerts are not sent there."""
    return _set_state(endpoint, WebhookEndpoint.State.PAUSED, by=by, verb="paused", reason=reason)


def resume(*, endpoint: WebhookEndpoint, by: Actor, reason: str = "") -> WebhookEndpoint:
    """Posts again, also to an endpoint that was disabled."""
    return _set_state(endpoint, WebhookEndpoint.State.ACTIVE, by=by, verb="resumed", reason=reason)


@transaction.atomic
def remove(*, endpoint: WebhookEndpoint, by: Actor, reason: str = "") -> None:
    """Deletes an endpoint and its secrets. What is on its way there is given up."""
    _give_up(endpoint, "the endpoint was deleted")
    for secret in endpoint.secrets.all():
        rows.delete(secret, by=by, reason=reason)
    rows.delete(endpoint, by=by, reason=reason)


@transaction.atomic
def send_test(*, endpoint: WebhookEndpoint, by: Actor, reason: str = "") -> Alert:
    """Puts a test message on its way, as an alert that the log shows.

    Raises:
        EndpointNotActive: it is paused or disabled.
    """
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    if endpoint.state != WebhookEndpoint.State.ACTIVE:
        raise EndpointNotActive(f"{endpoint} is {endpoint.get_state_display().lower()}; resume it first.")
    alert = _alert(endpoint, AlertKind.TEST)
    AlertDelivery.objects.bulk_create(deliveries.by_webhook(alert, [endpoint], at=alert.period_start))
    audit.record(
        by=by,
        action="webhookendpoint.tested",
        target=audit.target_of(endpoint),
        tenant_id=endpoint.tenant_id,
        reason=reason,
    )
    return alert


@transaction.atomic
def disable(*, endpoint: WebhookEndpoint, because: str, by: Actor) -> WebhookEndpoint:
    """Posts nothing more, gives up what is on its way, and tells those by e-mail who are told of its rules' alerts."""
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    if endpoint.state == WebhookEndpoint.State.DISABLED:
        return endpoint
    endpoint.state = WebhookEndpoint.State.DISABLED
    endpoint.disabled_because = because
    rows.change(endpoint, by=by, verb="disabled", reason=because)
    _give_up(endpoint, "the endpoint was disabled")
    alert = _alert(endpoint, AlertKind.ENDPOINT_DISABLED, reason=because)
    AlertDelivery.objects.bulk_create(deliveries.by_mail(alert, _concerned(endpoint), at=alert.period_start))
    return endpoint


def _check(endpoint: WebhookEndpoint) -> None:
    try:
        outside.checked(endpoint.url, inside=settings.WEBHOOKS_INSIDE)
    except outside.TargetRefused as error:
        raise ValidationError({"url": str(error)}) from error


def _new_secret(endpoint: WebhookEndpoint, *, by: Actor) -> str:
    secret = webhooks.new_secret()
    rows.create(WebhookSecret(endpoint=endpoint, sealed=webhook_secrets.seal(secret, endpoint=endpoint)), by=by)
    return secret


@transaction.atomic
def _set_state(endpoint: WebhookEndpoint, state: str, *, by: Actor, verb: str, reason: str) -> WebhookEndpoint:
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    endpoint.state = state
    endpoint.failing_since, endpoint.disabled_because = None, ""
    return rows.change(endpoint, by=by, verb=verb, reason=reason)


def _give_up(endpoint: WebhookEndpoint, why: str) -> None:
    waiting = endpoint.deliveries.filter(status=AlertDelivery.Status.PENDING)
    waiting.update(status=AlertDelivery.Status.FAILED, error=why, finished_at=timezone.now(), leased_until=None)


def _alert(endpoint: WebhookEndpoint, kind: AlertKind, **facts: str) -> Alert:
    return Alert.objects.create(
        tenant=endpoint.tenant,
        kind=kind,
        subject=f"webhook-endpoint/{endpoint.pk}",
        label=f"the webhook endpoint {endpoint}",
        period_start=timezone.now(),
        facts=facts,
    )


def _concerned(endpoint: WebhookEndpoint) -> Iterable[str]:
    return dict.fromkeys(address for rule in endpoint.rules.filter(active=True) for address in rule.recipients)
