"""The usual groups: what each may do, and that what administrators made of them stays."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from accounts.roles import LEGAL, OFFICERS, OPERATORS, ROLES
from compliance.models import AuditEvent
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

CONTENT = {"compliance.read_transcript", "compliance.read_restricted_transcript", "compliance.view_transcript"}


def seed() -> str:
    output = StringIO()
    call_command("seed_groups", stdout=output)
    return output.getvalue()


def a_member(name: str) -> User:
    user = an_admin(is_superuser=False)
    user.groups.add(Group.objects.get(name=name))
    return user


def test_it_works() -> None:
    assert seed() == "Added Compliance officers, Legal, Operators.\n"
    for name, permissions in ROLES.items():
        assert a_member(name).get_all_permissions() == permissions
    assert AuditEvent.objects.filter(action="group.created", actor_id="seed_groups").count() == 3


def test_a_second_time_changes_nothing() -> None:
    seed()
    Group.objects.get(name=LEGAL).permissions.clear()
    assert "Nothing to add" in seed()
    assert not Group.objects.get(name=LEGAL).permissions.exists()


def test_operators_see_no_content_and_nobody_behind_a_surrogate() -> None:
    assert not ROLES[OPERATORS] & {*CONTENT, "compliance.view_subject", "compliance.identify_subject"}


def test_only_legal_reads_what_is_closed_opens_it_gives_approvals_and_takes_the_exports_of_others() -> None:
    assert ROLES[LEGAL] - ROLES[OFFICERS] == {
        "compliance.read_restricted_transcript",
        "compliance.unrestrict_subject",
        "compliance.change_approval",
        "compliance.download_any_auditexport",
    }


def test_no_group_gives_rights_to_give_rights() -> None:
    for permissions in ROLES.values():
        given = {name for name in permissions if name.endswith(("_user", "_group", "_membership"))}
        assert given <= {
            "accounts.view_user",
            "accounts.view_membership",
            "auth.view_group",
        }


@pytest.mark.parametrize("name", sorted(ROLES))
def test_the_front_page_and_the_sidebar_stand(name: str, client: Client) -> None:
    seed()
    client.force_login(a_member(name))
    answer = client.get("/admin/")
    assert answer.status_code == 200
    assert ("Conversations" in answer.content.decode()) == (name != OPERATORS)
