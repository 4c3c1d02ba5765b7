"""What can be done with alert rules."""

from collections.abc import Collection, Iterable

from django.core.exceptions import ValidationError
from django.db import transaction

from billing import seeds
from billing.models import AlertRule, WebhookEndpoint
from compliance import audit, rows
from compliance.contracts import Actor


@transaction.atomic
def add(*, rule: AlertRule, by: Actor, endpoints: Collection[WebhookEndpoint] = ()) -> AlertRule:
    """Adds a rule. What is beyond a level already is told with the next look.

    Raises:
        ValidationError: the name is taken, the kind has no such field, or an endpoint is another tenant's.
    """
    rows.create(rule, by=by)
    _connect(rule, endpoints, by=by)
    return rule


@transaction.atomic
def change(*, rule: AlertRule, by: Actor, endpoints: Collection[WebhookEndpoint] | None = None) -> AlertRule:
    """Changes a rule; with `endpoints`, also where it posts to.

    Raises:
        ValidationError: as with `add`.
    """
    rows.change(rule, by=by)
    if endpoints is not None:
        _connect(rule, endpoints, by=by)
    return rule


def remove(*, rule: AlertRule, by: Actor, reason: str = "") -> None:
    """Deletes a rule. Its alerts stay in the log."""
    rows.delete(rule, by=by, reason=reason)


@transaction.atomic
def seed(*, by: Actor) -> list[AlertRule]:
    """Adds those of the platform-wide rules in `billing.seeds` whose kind has none; returns what it added."""
    known = set(AlertRule.objects.filter(tenant=None).values_list("kind", flat=True))
    return [add(rule=AlertRule(**fields), by=by) for fields in seeds.ALERT_RULES if fields["kind"] not in known]


def _connect(rule: AlertRule, endpoints: Iterable[WebhookEndpoint], *, by: Actor) -> None:
    chosen = {endpoint.pk: endpoint for endpoint in endpoints}
    if any(endpoint.tenant_id not in (None, rule.tenant_id) for endpoint in chosen.values()):
        raise ValidationError({"endpoints": "An endpoint belongs to another tenant."})
    before = set(rule.endpoints.values_list("pk", flat=True))
    if before == chosen.keys():
        return
    rule.endpoints.set(chosen)
    audit.record(
        by=by,
        action="alertrule.connected",
        target=audit.target_of(rule),
        tenant_id=rule.tenant_id,
        before={"endpoints": sorted(before)},
        after={"endpoints": sorted(chosen)},
    )
