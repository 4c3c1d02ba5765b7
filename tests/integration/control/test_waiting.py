"""What waits for a second person stands on the front page."""

import pytest
from django.test import Client
from django.utils import timezone

from compliance.actions import approvals, root_keys
from compliance.contracts import Actor
from compliance.models import Approval
from tests.factories import a_tenant
from tests.factories.control import an_admin
from tests.factories.retention import a_hold_request

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def test_it_works(client: Client) -> None:
    asker, other = an_admin(), an_admin()
    Approval.objects.create(
        action=root_keys.ACTION,
        target_kind="rootkey",
        target_id="7",
        reason="<b>old</b>",
        requested_by=approvals.name_of(by=Actor(kind="user", id=str(asker.pk))),
        expires_at=timezone.now() + approvals.EXPIRES_IN,
    )
    client.force_login(other)
    text = client.get("/admin/").content.decode()
    assert "Waiting for a second person" in text
    assert "root key 7" in text
    assert asker.username in text
    assert "<b>old" not in text
    client.force_login(asker)
    assert "another person has to decide" in client.get("/admin/").content.decode()


def test_a_hold_that_waits_is_named(client: Client) -> None:
    a_hold_request(a_tenant())
    client.force_login(an_admin())
    assert "Place the legal hold" in client.get("/admin/").content.decode()


def test_without_any_there_is_no_panel(client: Client) -> None:
    client.force_login(an_admin())
    assert "Waiting for a second person" not in client.get("/admin/").content.decode()


def test_who_may_not_see_approvals_sees_none(client: Client) -> None:
    a_hold_request(a_tenant())
    client.force_login(an_admin(is_superuser=False))
    assert "Waiting for a second person" not in client.get("/admin/").content.decode()
