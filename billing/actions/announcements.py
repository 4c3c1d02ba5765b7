"""Tells what other apps announce (`compliance/announcing.py`): an alert, with a delivery for everybody concerned.

Rules say who that is, the tenant's own before those for all tenants, as with every kind of alert. Where there is none,
the tenant's owners are written to about its keys, and the platform's own people about everything else: nobody has to
set anything up to hear of a log that was altered.
"""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import officers
from billing import deliveries
from billing.models import Alert, AlertDelivery, AlertKind, AlertRule, WebhookEndpoint
from billing.models.alerts import ANNOUNCED
from compliance.announcing import Announcement

LONGEST = 200


@transaction.atomic
def announce(*, announcement: Announcement) -> bool:
    """Writes the alert and its deliveries, unless the same is open already; returns whether it was new.

    Raises:
        ValueError: no such kind is announced.
    """
    kind = AlertKind(announcement.kind)
    if kind not in ANNOUNCED:
        raise ValueError(f"{kind} is not announced: billing finds it out by itself")
    rules = _rules(kind, announcement.tenant_id)
    active = [rule for rule in rules if rule.active]
    alert = _open(announcement, rule=active[0] if active else None)
    if alert is None:
        return False
    _address(alert, active, announcement, is_ruled=bool(rules))
    return True


def is_over(*, kind: str, tenant_id: int | None, subject: str) -> int:
    """Says of what was announced that it is over; returns how many there were."""
    still = Alert.objects.filter(kind=kind, tenant=tenant_id, subject=subject[:LONGEST], cleared_at=None)
    return still.update(cleared_at=timezone.now())


def _open(announcement: Announcement, *, rule: AlertRule | None) -> Alert | None:
    """A new alert; None where one is open."""
    try:
        with transaction.atomic():
            return Alert.objects.create(
                tenant_id=announcement.tenant_id,
                rule=rule,
                kind=announcement.kind,
                subject=announcement.subject[:LONGEST],
                label=announcement.label[:LONGEST],
                period_start=timezone.now(),
                facts=dict(announcement.facts),
            )
    except IntegrityError:
        return None


def _rules(kind: AlertKind, tenant_id: int | None) -> list[AlertRule]:
    """The tenant's rules of that kind, also inactive ones; those for all tenants where it has none."""
    of_kind = AlertRule.objects.filter(kind=kind).order_by("id")
    own = list(of_kind.filter(tenant=tenant_id)) if tenant_id is not None else []
    return own or list(of_kind.filter(tenant=None))


def _address(alert: Alert, rules: Sequence[AlertRule], announcement: Announcement, *, is_ruled: bool) -> None:
    at = alert.period_start
    telling = [rule for rule in rules if not rule.is_muted(at=at)]
    addresses = _addresses(telling, announcement) if is_ruled else _without_rule(announcement)
    AlertDelivery.objects.bulk_create(
        [*deliveries.by_mail(alert, addresses, at=at), *deliveries.by_webhook(alert, _endpoints(telling), at=at)]
    )


def _addresses(rules: Sequence[AlertRule], announcement: Announcement) -> Iterable[str]:
    if not rules:  # they are all switched off, or muted
        return ()
    named = [address for rule in rules for address in rule.recipients]
    owners = _owners(announcement) if any(rule.notify_owners for rule in rules) else []
    return dict.fromkeys([*named, *owners, *announcement.addresses])


def _without_rule(announcement: Announcement) -> Iterable[str]:
    return dict.fromkeys([*(_owners(announcement) or officers.of_platform()), *announcement.addresses])


def _owners(announcement: Announcement) -> list[str]:
    return officers.owners_of(announcement.tenant_id) if announcement.tenant_id is not None else []


def _endpoints(rules: Sequence[AlertRule]) -> list[WebhookEndpoint]:
    active = WebhookEndpoint.objects.filter(rules__in=rules, state=WebhookEndpoint.State.ACTIVE)
    return list(active.distinct().order_by("id"))
