"""Nobody in the admin can get rights that a superuser has not given them."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.test import Client

from accounts.models import User
from tests.factories.control import PASSWORD, an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

NEW = {"password1": PASSWORD + "2", "password2": PASSWORD + "2"}


def somebody(*rights: str, **fields: Any) -> User:
    """Staff with these rights, and no superuser."""
    user = an_admin(is_superuser=False, **fields)
    user.user_permissions.set(permissions(*rights))
    return user


def permissions(*codenames: str) -> list[Permission]:
    return list(Permission.objects.filter(codename__in=codenames))


def a_group(*rights: str) -> Group:
    group = Group.objects.create(name="Auditors")
    group.permissions.set(permissions(*rights))
    return group


def signed_in(client: Client, *rights: str) -> User:
    user = somebody(*rights)
    client.force_login(user)
    return user


def page(row: models.Model, name: str = "change") -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{name}/"


def test_it_works(client: Client) -> None:
    signed_in(client, "view_user", "change_user", "view_tenant")
    other = somebody("view_tenant")
    assert client.post(page(other, "set_password"), NEW).status_code == 302
    other.refresh_from_db()
    assert other.check_password(NEW["password1"])


def test_a_group_gives_nothing_to_those_who_may_change_groups(client: Client) -> None:
    person = signed_in(client, "view_group", "add_group", "change_group", "delete_group")
    group = a_group("view_tenant")
    person.groups.add(group)
    values = {"name": "Auditors", "permissions": [each.pk for each in permissions("change_tenant", "change_user")]}
    assert client.post(page(group), values).status_code == 403
    assert client.post("/admin/auth/group/add/", {**values, "name": "Mine"}).status_code == 403
    assert client.post(page(group, "delete"), {"post": "yes"}).status_code == 403
    assert [each.codename for each in group.permissions.all()] == ["view_tenant"]


def test_a_group_can_be_looked_at(client: Client) -> None:
    signed_in(client, "view_group", "change_group")
    response = client.get(page(a_group("view_tenant")))
    assert response.status_code == 200
    assert 'name="permissions"' not in response.content.decode()


def test_the_right_to_change_people_takes_over_none_with_more_rights(client: Client) -> None:
    signed_in(client, "view_user", "change_user")
    through_group = somebody()
    through_group.groups.add(a_group("change_tenant"))
    for other in (somebody("change_tenant"), through_group, an_admin()):
        assert client.post(page(other, "set_password"), NEW).status_code == 403
        assert client.post(page(other), {"username": "mine"}).status_code == 403
        other.refresh_from_db()
        assert other.check_password(PASSWORD)


def test_nor_anybody_inactive_whom_they_would_make_active_afterwards(client: Client) -> None:
    signed_in(client, "view_user", "change_user")
    other = somebody("change_tenant", is_active=False)
    assert client.post(page(other, "set_password"), NEW).status_code == 403
    other.refresh_from_db()
    assert other.check_password(PASSWORD)


def test_superusers_write_groups_and_set_any_password(client: Client) -> None:
    client.force_login(an_admin())
    group = a_group()
    values = {"name": "Auditors", "permissions": [each.pk for each in permissions("view_tenant")]}
    assert client.post(page(group), values).status_code == 302
    assert client.post(page(somebody("change_tenant"), "set_password"), NEW).status_code == 302
    assert client.post(page(an_admin(), "set_password"), NEW).status_code == 302
