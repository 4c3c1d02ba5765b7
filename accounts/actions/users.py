"""What can be done with people who sign in. Nobody is deleted, because the audit log names them."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import User
from compliance import audit, rows
from compliance.contracts import Actor


@transaction.atomic
def add(*, user: User, password: str, by: Actor) -> User:
    """Adds a person.

    Raises:
        ValidationError: the username is taken.
    """
    user.set_password(password)
    return rows.create(user, by=by)


@transaction.atomic
def change(*, user: User, by: Actor, groups: Collection[Group] | None = None) -> User:
    """Saves changed names, rights, and groups when they are given.

    Raises:
        ValidationError: the username is taken, or people would lock themselves out.
    """
    stored = User.objects.select_for_update().get(pk=user.pk)
    if by.kind == "user" and by.id == str(user.pk) and not (user.is_active and user.is_staff):
        raise ValidationError("You cannot take away your own access; ask another administrator.")
    before = _fields_of(stored)
    user.full_clean()
    user.save(force_update=True)
    if groups is not None:
        user.groups.set(groups)
    was, became = audit.difference(before, _fields_of(user))
    if became or _personal_fields_differ(stored, user):
        _record("changed", user, by=by, before=was, after=became)
    return user


@transaction.atomic
def set_password(*, user: User, password: str, by: Actor) -> User:
    """Gives a person another password, which ends their other sessions."""
    user.set_password(password)
    user.save(update_fields=["password"])
    _record("password_changed", user, by=by, before={}, after={})
    return user


def _fields_of(user: User) -> dict[str, Any]:
    return {**audit.fields_of(user), "groups": sorted(user.groups.values_list("name", flat=True))}


def _personal_fields_differ(stored: User, user: User) -> bool:
    return any(getattr(stored, name) != getattr(user, name) for name in User.audit_secret_fields)


def _record(verb: str, user: User, *, by: Actor, before: audit.Fields, after: audit.Fields) -> None:
    target = audit.target_of(user)
    audit.record(by=by, action=f"user.{verb}", target=target, tenant_id=None, before=before, after=after)
