"""An epoch of the root key is destroyed by two people."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from accounts.roles import OPERATORS, ROLES
from compliance import approvals as registered
from compliance.actions import approvals, root_keys, rotations
from compliance.contracts import Actor
from compliance.errors import ApprovalRefused, KeyVersionInUse
from compliance.keyring.models import RetiredRoot
from compliance.models import Approval, AuditEvent
from tests.factories import THE_SYSTEM, a_provider
from tests.factories.control import an_admin
from tests.factories.retention import THE_COUNSEL, THE_OFFICER

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def left(settings: Any) -> None:
    """Nothing is under version 1 any more."""
    settings.ROOT_KEYS = {**settings.ROOT_KEYS, 2: b"n" * 32}
    rotations.rewrap_root(by=THE_SYSTEM)


@pytest.fixture
def operator() -> User:
    return an_admin()


PAGE, KEYS = "/admin/keys/tenantkey/retire-root/1/", "/admin/keys/tenantkey/"


def ask(person: User, reason: str = "the backups that need it are gone") -> Approval:
    return root_keys.ask(version=1, reason=reason, by=Actor(kind="user", id=str(person.pk)))


def test_it_works(operator: User, client: Client) -> None:
    client.force_login(operator)
    assert PAGE in client.get(KEYS).content.decode()
    assert "Ask to retire root key 1?" in client.get(PAGE).content.decode()
    assert client.post(PAGE, {"reason": "the backups that need it are gone"}).status_code == 302
    approval = Approval.objects.get(action=root_keys.ACTION, state="requested")
    assert approval.requested_by == f"user {operator.pk}"
    assert not RetiredRoot.objects.exists()
    assert "waits for another person" in client.get(KEYS).content.decode()
    client.force_login(another := an_admin())
    page = f"/admin/compliance/approval/{approval.pk}/"
    assert "root key 1" in client.get(f"{page}change/").content.decode()
    client.post(f"{page}approve/", {"reason": "agreed"})
    assert RetiredRoot.objects.get().version == 1
    (event,) = AuditEvent.objects.filter(action="rootkey.retired")
    assert (event.target_id, event.actor_id) == ("1", str(another.pk))


def test_who_asked_cannot_approve(operator: User) -> None:
    approval = ask(operator)
    with pytest.raises(ApprovalRefused, match="another person"):
        approvals.approve(approval=approval, by=Actor(kind="user", id=str(operator.pk)))
    assert not RetiredRoot.objects.exists()


def test_nobody_asks_from_a_shell(operator: User) -> None:
    """There anybody could ask in another person's name, and then agree as themselves."""
    with pytest.raises(CommandError, match="Ask for that in the admin"):
        call_command("retire_root_key", "1")
    with pytest.raises(CommandError):
        call_command("retire_root_key", "1", "--by", operator.username, "--reason", "because")
    with pytest.raises(ApprovalRefused, match="signed in"):
        root_keys.ask(version=1, reason="because", by=Actor(kind="command", id="retire_root_key"))
    assert not Approval.objects.exists()


def test_the_command_says_what_still_needs_it(settings: Any) -> None:
    settings.ROOT_KEYS = {1: settings.ROOT_KEYS[1]}
    a_provider("https://up.example", credential="sk-late")
    settings.ROOT_KEYS = {**settings.ROOT_KEYS, 2: b"n" * 32}
    with pytest.raises(CommandError, match="still needed by 1 provider credentials"):
        call_command("retire_root_key", "1")


def test_only_who_may_ask_asks(client: Client) -> None:
    client.force_login(person := an_admin(is_superuser=False))
    person.user_permissions.set(Permission.objects.filter(codename="view_jobrun"))
    assert "it can be retired" in client.get(KEYS).content.decode()
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"reason": "because"}).status_code == 403
    assert not Approval.objects.exists()


def test_operators_may_ask_and_not_approve() -> None:
    assert "compliance.add_approval" in ROLES[OPERATORS]
    assert "compliance.change_approval" not in ROLES[OPERATORS]


def test_a_reason_is_wanted(operator: User, client: Client) -> None:
    with pytest.raises(ApprovalRefused, match="Say why"):
        ask(operator, reason=" ")
    client.force_login(operator)
    assert client.post(PAGE, {"reason": " "}).status_code == 200
    assert not Approval.objects.exists()


def test_it_is_asked_for_once(operator: User, client: Client) -> None:
    ask(operator)
    with pytest.raises(ApprovalRefused, match="asked for already"):
        ask(an_admin())
    client.force_login(an_admin())
    said = client.post(PAGE, {"reason": "again"}, follow=True).content.decode()
    assert "asked for already" in said


def test_of_one_in_use_the_page_says_what_needs_it(operator: User, client: Client) -> None:
    client.force_login(operator)
    said = client.post("/admin/keys/tenantkey/retire-root/2/", {"reason": "because"}, follow=True).content.decode()
    assert "Root key 2 is the current one" in said


def test_what_is_in_use_by_then_is_not_retired_and_not_approved(settings: Any) -> None:
    approval = root_keys.ask(version=1, reason="old", by=THE_OFFICER)
    current, settings.ROOT_KEYS = settings.ROOT_KEYS, {1: settings.ROOT_KEYS[1]}
    a_provider("https://up.example", credential="sk-late")
    settings.ROOT_KEYS = current
    with pytest.raises(KeyVersionInUse, match="still needed"):
        approvals.approve(approval=approval, by=THE_COUNSEL)
    approval.refresh_from_db()
    assert approval.state == "requested"
    assert not RetiredRoot.objects.exists()


def test_a_rejection_leaves_it(operator: User) -> None:
    approvals.reject(approval=ask(operator), by=THE_COUNSEL, reason="too early")
    assert not RetiredRoot.objects.exists()


def test_of_a_retired_one_the_command_counts_anew_without_asking(operator: User) -> None:
    approvals.approve(approval=ask(operator), by=THE_COUNSEL)
    out = io.StringIO()
    call_command("retire_root_key", "1", stdout=out)
    assert "it is retired" in out.getvalue()
    assert AuditEvent.objects.filter(action="rootkey.retired").count() == 1


def test_what_two_people_must_want_is_registered() -> None:
    """As the design lists it: destroying a key epoch, lifting a legal hold, exporting a tenant's decrypted content."""
    assert {"rootkey.retired", "legal_hold.released", "tenant.offboarded"} <= set(registered._handlers)


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("retire_root_key(", {"actions/rotations.py", "actions/root_keys.py", "commands/retire_root_key.py"}),
        ("tenant_exports.make(", {"actions/offboarding.py"}),
    ],
    ids=["destroying an epoch", "exporting a tenant's content"],
)
def test_there_is_no_other_way(call: str, allowed: set[str]) -> None:
    found = {
        "/".join(path.parts[-2:])
        for app in ("accounts", "billing", "compliance", "gateway", "config")
        for path in (ROOT / app).rglob("*.py")
        if re.search(rf"(?<!def ){re.escape(call)}", path.read_text())
    }
    assert found <= allowed
    assert found
