"""Reports keys that work though nobody uses them: each of them is a risk that brings nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from django.db import transaction
from django.utils import timezone

from accounts import key_uses
from accounts.models import ApiKey
from compliance.announcing import Announcement, announce, is_over
from compliance.contracts import Actor

KIND = "key_unused"
NAMED = 20
"""How many are listed; all of them are in the admin."""


@transaction.atomic
def report(*, by: Actor, at: datetime | None = None) -> int:
    """Tells of each tenant's unused keys together, once a month; returns how many keys there are."""
    at = at or timezone.now()
    keys = key_uses.to_report(at=at).order_by("tenant", "pk")
    by_tenant = {tenant_id: list(rows) for tenant_id, rows in groupby(keys, key=lambda key: key.tenant_id)}
    for tenant_id, rows in by_tenant.items():
        _report(tenant_id, rows, at)
    return sum(map(len, by_tenant.values()))


def _report(tenant_id: int, keys: Sequence[ApiKey], at: datetime) -> None:
    before = (at.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    is_over(kind=KIND, tenant_id=tenant_id, subject=f"keys unused {before}")
    count = f"{len(keys)} keys were" if len(keys) > 1 else "one key was"
    announce(
        Announcement(
            kind=KIND,
            tenant_id=tenant_id,
            subject=f"keys unused {at:%Y-%m}",
            label=f"{count} not used for 90 days; revoke what nobody needs",
            facts={"count": len(keys), "keys": ", ".join(_named(key) for key in keys[:NAMED])},
        )
    )


def _named(key: ApiKey) -> str:
    return f"{key.name} (…{key.last_four}) of {key.application}"
