"""When secrets are replaced, and what is told before: a tenant's terms, and arithmetic on times."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import ApiKey, Application, Tenant

NOTICES = (14, 7, 1)
"""Days before a rotation, or an expiry, at which it is told."""
LEAST_NOTICE = timedelta(days=NOTICES[0])
LEAST_AFTER_CLAIM = timedelta(days=1)
"""How long the old secret works at least after the new one was claimed: somebody has to put it into use."""


def in_use(*, at: datetime) -> QuerySet[ApiKey]:
    """The keys that work: active, of an active application and tenant, and not expired."""
    keys = ApiKey.objects.select_related("tenant", "application").filter(
        status=ApiKey.Status.ACTIVE,
        application__status=Application.Status.ACTIVE,
        tenant__status=Tenant.Status.ACTIVE,
    )
    return keys.filter(Q(expires_at=None) | Q(expires_at__gt=at))


def rotation_days(tenant: Tenant) -> int:
    """After how many days a secret of the tenant is replaced; 0: never."""
    return settings.KEY_ROTATION_DAYS if tenant.key_rotation_days is None else tenant.key_rotation_days


def overlap_of(tenant: Tenant) -> timedelta:
    """How long an old secret works beside the new one."""
    days = settings.KEY_OVERLAP_DAYS if tenant.key_overlap_days is None else tenant.key_overlap_days
    return timedelta(days=days)


def next_rotation(*, since: datetime, days: int, planned: datetime | None, at: datetime) -> datetime | None:
    """When a secret that is used since `since` is replaced, with `planned` as it was thought until now.

    Never without the whole notice: a policy that becomes stricter brings nothing nearer than `LEAST_NOTICE`, and does
    not put off what is nearer already.
    """
    if not days:
        return None
    natural = since + timedelta(days=days)
    with_notice = max(natural, at + LEAST_NOTICE)
    if planned is None:
        return with_notice
    return natural if natural >= planned else min(planned, with_notice)


def notice_due(moment: datetime, *, at: datetime) -> int | None:
    """The notice (days before `moment`) that is due: the last one whose time has come; None: none yet, or too late."""
    left = moment - at
    if left <= timedelta(0):
        return None
    return min((days for days in NOTICES if left <= timedelta(days=days)), default=None)
