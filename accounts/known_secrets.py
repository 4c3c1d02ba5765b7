"""Finds the key that a secret belongs to: the one in force, and those that retire beside it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import ApiKey, RetiringSecret, SecretClaim


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """A secret that may work, with its key (its tenant and application at hand). `ends_at`: when it ceases to; None:
    never by itself."""

    key: ApiKey
    public_id: str
    digest: bytes
    pepper_version: int
    ends_at: datetime | None


def find(public_id: str) -> KnownSecret | None:
    """The secret with that public id; None where there is none, or none any more."""
    keys = ApiKey.objects.select_related("tenant", "application")
    if key := keys.filter(public_id=public_id).first():
        return KnownSecret(key, public_id, bytes(key.digest), key.pepper_version, key.expires_at)
    old = _retiring().filter(public_id=public_id).first()
    if old is None or old.digest is None:
        return None
    return KnownSecret(old.key, public_id, bytes(old.digest), old.pepper_version, _end_of(old))


def _retiring() -> QuerySet[RetiringSecret]:
    waits = SecretClaim.objects.filter(replaces=OuterRef("pk"), state=SecretClaim.State.WAITING)
    rows = RetiringSecret.objects.select_related("key__tenant", "key__application").filter(ended_at=None)
    return rows.annotate(is_needed=Exists(waits))


def _end_of(old: Any) -> datetime | None:
    """The end of the overlap, or of the key. Nobody has the new secret before it is claimed: until then it goes on."""
    expires_at: datetime | None = old.key.expires_at
    if old.is_needed:
        return expires_at
    ends_at: datetime = old.ends_at
    return min(ends_at, expires_at or ends_at)


def tenant_of(public_id: str) -> int | None:
    """The tenant that a public id belongs to, also one that has ended."""
    for rows in (ApiKey.objects.filter(public_id=public_id), RetiringSecret.objects.filter(public_id=public_id)):
        if tenant_id := rows.order_by().values_list("tenant", flat=True).first():
            return int(tenant_id)
    return None


def known_ids(public_ids: Collection[str]) -> frozenset[str]:
    """Those of the public ids that secrets have."""
    current = ApiKey.objects.filter(public_id__in=public_ids).order_by().values_list("public_id", flat=True)
    retiring = RetiringSecret.objects.filter(public_id__in=public_ids, ended_at=None).order_by()
    return frozenset(current.union(retiring.values_list("public_id", flat=True), all=True))
