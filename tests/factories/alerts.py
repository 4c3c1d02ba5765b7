"""Alert rules, endpoints, and the spending that they are held against."""

import itertools
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connections

from accounts.models import ApiKey, Tenant
from billing.actions import alert_rules, webhooks
from billing.models import AlertRule, WebhookEndpoint
from billing.money import from_dollars
from tests.factories import THE_SYSTEM
from tests.factories.control import a_usage_record

_number = itertools.count(1)


def an_alert_rule(
    kind: str = "budget_threshold",
    *,
    tenant: Tenant | None = None,
    to: str = "",
    endpoints: tuple[WebhookEndpoint, ...] = (),
    **fields: Any,
) -> AlertRule:
    """A rule of the tenant, or for all of them; `to` is who gets e-mail."""
    values = {"name": f"Rule {next(_number)}", "recipients": [to] if to else [], **fields}
    rule = AlertRule(tenant=tenant, kind=kind, **values)
    return alert_rules.add(rule=rule, endpoints=endpoints, by=THE_SYSTEM)


def an_endpoint(url: str, *, tenant: Tenant | None = None) -> tuple[WebhookEndpoint, str]:
    """An endpoint and its secret."""
    endpoint = WebhookEndpoint(tenant=tenant, name=f"Endpoint {next(_number)}", url=url)
    return webhooks.add(endpoint=endpoint, by=THE_SYSTEM)


def spending(key: ApiKey, *, at: datetime, dollars: int | str, **fields: Any) -> None:
    """A request of that cost, at that time."""
    a_usage_record(key, at=at, cost_nano=from_dollars(Decimal(dollars)), **fields)


def metered(tenant: Tenant, name: str, *, start: datetime, end: datetime, dollars: int | str) -> None:
    """What the ledger has counted under that name in a period, instead of what it had."""
    run(
        "INSERT INTO meter (tenant_id, name, used, period_start, period_end) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, name) DO UPDATE SET used = excluded.used, period_start = excluded.period_start,"
        " period_end = excluded.period_end",
        tenant.pk,
        name,
        from_dollars(Decimal(dollars)),
        start,
        end,
    )


def run(statement: str, *values: Any) -> None:
    """On the ledger."""
    with connections["ledger"].cursor() as cursor:
        cursor.execute(statement, values)
