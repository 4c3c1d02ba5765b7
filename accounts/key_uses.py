"""When keys were last used, with any of their secrets; and which are not used at all."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from accounts import rotating
from accounts.models import ApiKey, SecretUse

UNUSED_AFTER = timedelta(days=90)
"""A key that nobody used for so long, counted from its issue where it was never used, is reported."""


def last_used(key_ids: Collection[int]) -> dict[int, datetime]:
    """The last use of those keys that ever were used."""
    uses = SecretUse.objects.filter(key__in=key_ids).order_by().values_list("key")
    return dict(uses.annotate(at=Max("last_used_at")))


def of_secrets(public_ids: Collection[str]) -> dict[str, datetime]:
    """The last use of those secrets that ever were used."""
    return dict(SecretUse.objects.filter(public_id__in=public_ids).values_list("public_id", "last_used_at"))


def with_use(keys: QuerySet[ApiKey]) -> QuerySet[Any]:
    """The keys with `use_at`, None where nobody ever used them."""
    newest = SecretUse.objects.filter(key=OuterRef("pk")).order_by("-last_used_at").values("last_used_at")[:1]
    return keys.annotate(use_at=Subquery(newest))


def never_used(keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    return with_use(keys).filter(use_at=None)


def unused(keys: QuerySet[ApiKey], *, at: datetime) -> QuerySet[ApiKey]:
    """Those that nobody used for 90 days, and that are at least so old."""
    before = at - UNUSED_AFTER
    return with_use(keys).filter(Q(use_at=None) | Q(use_at__lt=before), created_at__lt=before)


def to_report(*, at: datetime) -> QuerySet[ApiKey]:
    """Keys that work though nobody needs them."""
    return unused(rotating.in_use(at=at), at=at)
