"""What can be done with groups, which give people of the admin their permissions."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from compliance import audit
from compliance.contracts import Actor


@transaction.atomic
def add(*, group: Group, permissions: Collection[Permission], by: Actor) -> Group:
    """Adds a group.

    Raises:
        ValidationError: the name is taken.
    """
    _write(group, permissions)
    _record("created", group, by=by, before={}, after=_fields_of(group))
    return group


@transaction.atomic
def change(*, group: Group, permissions: Collection[Permission], by: Actor) -> Group:
    """Changes a group's name and permissions, at once for all of its members.

    Raises:
        ValidationError: the name is taken.
    """
    before = _fields_of(Group.objects.select_for_update().get(pk=group.pk))
    _write(group, permissions)
    was, became = audit.difference(before, _fields_of(group))
    if became:
        _record("changed", group, by=by, before=was, after=became)
    return group


@transaction.atomic
def remove(*, group: Group, by: Actor, reason: str = "") -> None:
    """Deletes a group; its members lose what it gave them."""
    before = _fields_of(group)
    _record("deleted", group, by=by, before=before, after={}, reason=reason)
    group.delete()


def _write(group: Group, permissions: Collection[Permission]) -> None:
    group.full_clean()
    group.save()
    group.permissions.set(permissions)


def _fields_of(group: Group) -> dict[str, Any]:
    codes = group.permissions.values_list("content_type__app_label", "codename")
    return {"name": group.name, "permissions": sorted(f"{app}.{code}" for app, code in codes)}


def _record(verb: str, group: Group, *, by: Actor, before: audit.Fields, after: audit.Fields, reason: str = "") -> None:
    target = audit.target_of(group)
    audit.record(
        by=by, action=f"group.{verb}", target=target, tenant_id=None, before=before, after=after, reason=reason
    )
