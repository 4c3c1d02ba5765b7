"""What can be done with groups, which give people of the admin their permissions."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from accounts.roles import ROLES
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


@transaction.atomic
def seed(*, by: Actor) -> list[Group]:
    """Adds those of the usual groups (`accounts/roles.py`) that are not there; returns them. Others stay as they are.

    Raises:
        LookupError: the database lacks a permission that one of them gives.
    """
    known = set(Group.objects.values_list("name", flat=True))
    missing = [(name, permissions) for name, permissions in ROLES.items() if name not in known]
    return [add(group=Group(name=name), permissions=_named(permissions), by=by) for name, permissions in missing]


def _named(names: Collection[str]) -> list[Permission]:
    apps = {name.partition(".")[0] for name in names}
    rows = Permission.objects.filter(content_type__app_label__in=apps).select_related("content_type")
    found = {f"{row.content_type.app_label}.{row.codename}": row for row in rows}
    if unknown := sorted(set(names) - set(found)):
        raise LookupError(f"There are no permissions {', '.join(unknown)}; run manage.py migrate first.")
    return [found[name] for name in sorted(names)]


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
