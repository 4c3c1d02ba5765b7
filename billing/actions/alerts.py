"""Looks whether levels were crossed, and writes an alert with its deliveries for each that was.

A level that is crossed is told once. Its alert stays open while the value stays at the level, and a second one for the
same rule, subject, period and level is refused by the database; a new period, or a value that fell below and rose again
(a limit that was raised, for instance), is a new crossing. Of several levels that one look finds crossed, people are
told the highest; the others are in the log.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Membership, Tenant
from billing import deliveries
from billing.models import Alert, AlertDelivery, AlertKind, AlertRule, WebhookEndpoint
from billing.readings import Reading, resolved
from billing.sight import Sight

LOOK_LOCK = 0x616C6572  # "aler"; any number that nothing else locks

ON_METERS = (AlertKind.BUDGET, AlertKind.SOFT, AlertKind.RATE)
ON_SPENDING = (AlertKind.DAILY, AlertKind.WEEKLY, AlertKind.UNUSUAL, AlertKind.PROJECTED)

LETS_GO = {AlertKind.PROJECTED: 90, AlertKind.RATE: 0}
"""Per cent of its level below which an alert is closed, where that is not 100: a projection wavers from minute to
minute, and a rate is told once in its hour."""

log = structlog.get_logger()


class Crossing(NamedTuple):
    """What makes an alert of a rule one and not another."""

    tenant_id: int
    subject: str
    period_start: datetime
    level: int


def look_at_meters(*, at: datetime | None = None) -> int:
    """Budgets and rate limits; returns how many alerts were new, 0 also while somebody else is looking."""
    return _look(ON_METERS, at or timezone.now())


def look_at_spending(*, at: datetime | None = None) -> int:
    """What days and weeks cost, what is unusual, and where budgets are heading; returns how many alerts were new."""
    return _look(ON_SPENDING, at or timezone.now())


@transaction.atomic
def _look(kinds: Collection[AlertKind], at: datetime) -> int:
    if not _take_turn():
        return 0
    rules = _rules_in_force(kinds)
    sight = Sight([rule for rule, _ in rules], {t for _, tenants in rules for t in tenants}, at=at)
    new = sum(_tell(rule, sight.of(rule, {tenant.pk for tenant in tenants}), at) for rule, tenants in rules)
    if new:
        log.info("alerts raised", count=new)
    return new


def _take_turn() -> bool:
    """Whether this transaction is the only one that looks: two could each hold older and newer values."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOOK_LOCK])
        return bool(cursor.fetchone()[0])


def _rules_in_force(kinds: Collection[AlertKind]) -> list[tuple[AlertRule, list[Tenant]]]:
    """Each active rule with the tenants that it is for: its own, or those without a rule of its kind."""
    tenants = list(Tenant.objects.exclude(status=Tenant.Status.CLOSED))
    rules = list(AlertRule.objects.filter(kind__in=kinds).order_by("id"))
    own = {(rule.kind, rule.tenant_id) for rule in rules}
    return [
        (
            rule,
            [
                tenant
                for tenant in tenants
                if (tenant.pk == rule.tenant_id if rule.tenant_id else (rule.kind, tenant.pk) not in own)
            ],
        )
        for rule in rules
        if rule.active
    ]


def _tell(rule: AlertRule, seen: Sequence[Reading], at: datetime) -> int:
    """Closes the alerts that are below their level, and opens those that are not open yet."""
    kept_of = LETS_GO.get(AlertKind(rule.kind), 100)
    levels = rule.levels or [100]
    still = {_crossing(reading, level) for reading in seen for level in levels if reading.is_at(level, of=kept_of)}
    news = [reading for reading in seen if reading.is_news]
    crossed = {_crossing(reading, level): reading for reading in news for level in levels if reading.is_at(level)}
    alerts = Alert.objects.filter(rule=rule, cleared_at=None)
    opened = {Crossing(*row[1:]): row[0] for row in alerts.values_list("pk", *Crossing._fields)}
    alerts.filter(pk__in=[pk for crossing, pk in opened.items() if crossing not in still]).update(cleared_at=at)
    fresh = sorted(crossed.keys() - opened.keys())
    named = resolved([crossed[crossing] for crossing in fresh])
    new = [_alert(rule, crossing, reading) for crossing, reading in zip(fresh, named, strict=True)]
    Alert.objects.bulk_create(new)
    if new and not rule.is_muted(at=at):
        _address(rule, _highest(new), at)
    return len(new)


def _highest(alerts: Sequence[Alert]) -> list[Alert]:
    """Of each subject and period the alert of the highest level; they come in the order of their levels."""
    return list({(alert.tenant_id, alert.subject, alert.period_start): alert for alert in alerts}.values())


def _crossing(reading: Reading, level: int) -> Crossing:
    return Crossing(reading.tenant_id, reading.subject, reading.period_start, level)


def _alert(rule: AlertRule, crossing: Crossing, reading: Reading) -> Alert:
    return Alert(rule=rule, kind=rule.kind, label=reading.label, facts=reading.facts, **crossing._asdict())


def _address(rule: AlertRule, alerts: Sequence[Alert], at: datetime) -> None:
    """Writes a delivery for everybody who is to be told. A crash afterwards loses none."""
    endpoints = list(rule.endpoints.filter(state=WebhookEndpoint.State.ACTIVE))
    owners = _owners({alert.tenant_id for alert in alerts if alert.tenant_id}) if rule.notify_owners else {}
    for alert in alerts:
        addresses = dict.fromkeys([*rule.recipients, *owners.get(alert.tenant_id or 0, ())])
        AlertDelivery.objects.bulk_create(
            [*deliveries.by_mail(alert, addresses, at=at), *deliveries.by_webhook(alert, endpoints, at=at)]
        )


def _owners(tenants: Collection[int]) -> dict[int, list[str]]:
    """The addresses of the tenants' owners."""
    owners = Membership.objects.filter(tenant__in=tenants, role=Membership.Role.OWNER, user__is_active=True)
    addresses: dict[int, list[str]] = {}
    for tenant, address in owners.exclude(user__email="").values_list("tenant", "user__email"):
        addresses.setdefault(tenant, []).append(address)
    return addresses
