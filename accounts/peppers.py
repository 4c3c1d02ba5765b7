"""Versions of the pepper: which one secrets are hashed under, and what each is still needed for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from accounts import tokens
from accounts.models import ApiKey, RetiringSecret


@dataclass(frozen=True, slots=True)
class Needed:
    """What a version is needed for: secrets in force and those that retire. Keys that were revoked need none, but leak
    reports of them are recognised by it."""

    version: int
    keys: int
    retiring: int
    revoked: int

    @property
    def is_needed(self) -> bool:
        return bool(self.keys or self.retiring)

    @property
    def is_at_hand(self) -> bool:
        """Whether this process has it; what needs one that it has not cannot work."""
        return self.version in settings.KEY_PEPPERS

    @property
    def is_current(self) -> bool:
        return self.version == current()


@dataclass(frozen=True, slots=True)
class Rehash:
    """A secret that has just proved right: its digest as it is stored, and as it shall be under `version`."""

    public_id: str
    stored: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    version: int


def current() -> int:
    """The version that secrets are hashed under now: the newest, unless KEY_PEPPER_CURRENT names another one."""
    return settings.KEY_PEPPER_CURRENT or max(settings.KEY_PEPPERS)


def rehash_of(text: str, *, public_id: str, stored: bytes) -> Rehash:
    """What `actions.peppers.rehash` needs of a secret's text; the text goes nowhere."""
    version = current()
    return Rehash(public_id, stored, tokens.digest(text, pepper=settings.KEY_PEPPERS[version]), version)


def usage() -> list[Needed]:
    """What each version is needed for, those at hand and those that secrets need; newest first."""
    revoked = Q(status=ApiKey.Status.REVOKED)
    alive = _counts(ApiKey.objects.exclude(revoked))
    gone = _counts(ApiKey.objects.filter(revoked))
    retiring = _counts(RetiringSecret.objects.filter(ended_at=None))
    versions = {*settings.KEY_PEPPERS, *alive, *retiring}
    return [
        Needed(version, alive.get(version, 0), retiring.get(version, 0), gone.get(version, 0))
        for version in sorted(versions, reverse=True)
    ]


def _counts(rows: QuerySet[Any]) -> Mapping[int, int]:
    counted = rows.order_by().values_list("pepper_version").annotate(count=Count("pk"))
    return dict(counted)
