"""Filters of the list of keys: by how they are used, and by where their rotation stands."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import key_uses, rotating
from accounts.models import ApiKey, RetiringSecret, SecretClaim
from compliance.admin.filters import ValueFilter

Keys = QuerySet[ApiKey]
Choice = tuple[str, Callable[[Keys, datetime], Keys]]


class _Choices(ValueFilter):
    """Rows that one of a few conditions holds for."""

    choices_of: dict[str, Choice]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return [(name, label) for name, (label, _) in self.choices_of.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.choices_of.get(self.value() or "")
        return chosen[1](queryset, timezone.now()) if chosen else queryset


class UseFilter(_Choices):
    title, parameter_name = "use", "use"
    choices_of = {
        "never": ("Never used", lambda keys, at: key_uses.never_used(keys)),
        "unused": ("Not used for 90 days", lambda keys, at: key_uses.unused(keys, at=at)),
    }


class RotationFilter(_Choices):
    title, parameter_name = "rotation", "rotation"
    choices_of = {
        "waits": (
            "New secret waits to be claimed",
            lambda keys, at: keys.filter(pk__in=_waiting().values("key")),
        ),
        "overlap": (
            "Old secret still works",
            lambda keys, at: keys.filter(pk__in=RetiringSecret.objects.filter(ended_at=None).values("key")),
        ),
        "soon": (
            "Due within 14 days",
            lambda keys, at: keys.filter(rotation_due_at__lte=at + rotating.LEAST_NOTICE),
        ),
    }


def _waiting() -> QuerySet[SecretClaim]:
    return SecretClaim.objects.filter(state=SecretClaim.State.WAITING)
