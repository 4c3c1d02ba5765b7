"""Content of some age, policies and legal holds."""

import itertools
import uuid
from datetime import UTC, date, datetime, time
from typing import Any

from django.db import connection

from accounts.models import Tenant
from compliance.actions import approvals, holds, retention
from compliance.contracts import Actor
from compliance.models import Approval, LegalHold, RetentionPolicy
from compliance.registry import Class
from compliance.retention import rule_of
from compliance.retention_rules import due_on

THE_OFFICER = Actor(kind="user", id="1001")
THE_COUNSEL = Actor(kind="user", id="1002")
_number = itertools.count(1)

INSERT = """
INSERT INTO transcript (id, tenant_id, surrogate, application_id, api_key_id, environment, model, outcome, created_at,
                        expires_on, held, key_id, sealed, plain_bytes)
VALUES (%(id)s, %(tenant_id)s, %(surrogate)s, %(application_id)s, %(api_key_id)s, %(environment)s, %(model)s,
        %(outcome)s, %(created_at)s, coalesce(%(expires_on)s, content_expires_on(%(tenant_id)s, %(created_at)s)),
        is_held(%(tenant_id)s, %(surrogate)s, %(api_key_id)s, %(model)s, %(application_id)s, %(environment)s,
                %(created_at)s, %(outcome)s), %(id)s, 'sealed', 6)
"""


def a_transcript(tenant_id: int, written: date | datetime, **fields: Any) -> uuid.UUID:
    """A row as the storing INSERT makes it, of that day (UTC); `expires_on` where it is to lie on a day not its own."""
    at = written if isinstance(written, datetime) else datetime.combine(written, time(12), UTC)
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "tenant_id": tenant_id,
        "surrogate": "eu_somebody",
        "application_id": 1,
        "api_key_id": 1,
        "environment": "dev",
        "model": "gpt-4o",
        "outcome": "completed",
        "created_at": at,
        "expires_on": None,
        **fields,
    }
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)
    return uuid.UUID(str(values["id"]))


def a_decision(tenant_id: int, written: date, surrogate: str = "eu_somebody") -> uuid.UUID:
    """That a request of that day was stored."""
    number = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO content_decision (request_id, tenant_id, surrogate, at, stored) VALUES (%s, %s, %s, %s, true)",
            [number, tenant_id, surrogate, datetime.combine(written, time(12), UTC)],
        )
    return number


def a_day_of(day: date) -> None:
    """The partition of what is due on a day."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT make_transcript_partition(%s)", [day])


def the_day_due(tenant_id: int, written: date) -> date:
    """The day on which content of a tenant is due."""
    return due_on(written, rule_of(tenant_id, Class.CONTENT).days)


def a_retention_policy(tenant: Tenant, days: int, data_class: str = "content", **fields: Any) -> RetentionPolicy:
    """A tenant's own policy."""
    values = {"reason": "as agreed", **fields}
    policy = RetentionPolicy(tenant=tenant, data_class=data_class, days=days, **values)
    return retention.add(policy=policy, by=THE_OFFICER)


def a_hold_request(tenant: Tenant, **fields: Any) -> LegalHold:
    """A hold that waits for approval: of the whole tenant, unless `fields` say otherwise."""
    n = next(_number)
    values = {"title": f"Case {n}", "matter": f"{n} O 1/26", "reason": "a court case", "scope": "tenant", **fields}
    return holds.request(hold=LegalHold(tenant=tenant, **values), by=THE_OFFICER)


def a_hold(tenant: Tenant, **fields: Any) -> LegalHold:
    """A hold in force."""
    hold = a_hold_request(tenant, **fields)
    decide(hold)
    hold.refresh_from_db()
    return hold


def release(hold: LegalHold) -> None:
    """Lifts a hold, by two people."""
    holds.request_release(hold=hold, by=THE_OFFICER, reason="the case is over")
    decide(hold)
    hold.refresh_from_db()


def decide(hold: LegalHold, by: Actor = THE_COUNSEL) -> Approval:
    """The second person agrees to what was asked for last."""
    approval = Approval.objects.get(target_kind="legalhold", target_id=str(hold.pk), state="requested")
    return approvals.approve(approval=approval, by=by, reason="I agree")
