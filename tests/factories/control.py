"""What tests of the control plane need beside the rows of the domain: people who sign in, and usage to look at."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from accounts.actions import users
from accounts.models import ApiKey, User
from billing.actions import usage
from billing.models import Budget, UsageRecord
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM

PASSWORD = "correct horse battery staple"
_number = itertools.count(1)


def an_admin(**fields: Any) -> User:
    """Somebody who may do everything, with PASSWORD."""
    values = {"username": f"admin-{uuid.uuid4().hex[:8]}", "is_staff": True, "is_superuser": True, **fields}
    return users.add(user=User(**values), password=PASSWORD, by=THE_SYSTEM)


def events_of(user: User) -> QuerySet[AuditEvent]:
    """What a person did in the admin, beside signing in; `list` it to compare it."""
    own = AuditEvent.objects.filter(actor_kind="user", actor_id=str(user.pk))
    return own.exclude(action="user.signed_in").order_by("id")


def a_usage_record(key: ApiKey, *, at: datetime | None = None, **fields: Any) -> UsageRecord:
    """A completed request of 100 tokens in, 20 out, half a second, for a tenth of a cent."""
    at = at or timezone.now() - timedelta(seconds=next(_number) % 30)
    values: dict[str, Any] = {
        "request_id": uuid.uuid4(),
        "at": at,
        "tenant_id": key.tenant_id,
        "application_id": key.application_id,
        "api_key_id": key.pk,
        "environment": key.environment,
        "model": "gpt-test",
        "outcome": "completed",
        "status": 200,
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_nano": 1_000_000,
        "latency_ms": 500,
    }
    values |= fields
    usage.insert_records(records=[values])
    return UsageRecord.objects.get(request_id=values["request_id"], at=values["at"])


def a_refusal(key: ApiKey, *, code: str = "rate_limit_exceeded", **fields: Any) -> UsageRecord:
    """Refused requests, counted together when `requests` says so."""
    nothing = {"input_tokens": 0, "output_tokens": 0, "cost_nano": 0, "latency_ms": 1}
    return a_usage_record(key, outcome="refused", code=code, status=429, **{**nothing, **fields})


def a_meter(budget: Budget, *, used: int, held: int = 0, is_over: bool = False, of: str | None = None) -> None:
    """What the ledger has counted of a budget, in its current period or in one that is over; `of` one, with `each`."""
    name = budget.meter_name if of is None else f"{budget.meter_name}#{of}"
    ends = datetime.now(UTC) + timedelta(days=-1 if is_over else 1)  # the ledger goes by the database's clock
    with connections["ledger"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO meter (tenant_id, name, used, held, period_start, period_end) VALUES (%s, %s, %s, %s, %s, %s)",
            [budget.tenant_id, name, used, held, ends - timedelta(days=2), ends],
        )
