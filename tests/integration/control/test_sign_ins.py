"""Who signs in, fails to, and signs out is on record; whoever guesses cannot fill the log."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from compliance.actions import tallies
from compliance.models import AuditEvent
from tests.factories.control import PASSWORD, an_admin
from tests.factories.tallies import counted_at, no_tallies

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
LONG_AGO = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_left_by_others(db: None) -> None:
    cache.clear()
    no_tallies()


def sign_in(client: Client, username: str, password: str = "wrong", **fields: Any) -> int:
    return client.post(LOGIN, {"username": username, "password": password}, **fields).status_code


def events(action: str) -> list[AuditEvent]:
    """What is on record, once the minute is over."""
    counted_at(LONG_AGO)
    tallies.put_on_record()
    return list(AuditEvent.objects.filter(action=action).order_by("id"))


def test_it_works(client: Client) -> None:
    user = an_admin()
    headers = {"User-Agent": "a browser"}
    assert sign_in(client, user.username, PASSWORD, REMOTE_ADDR="192.0.2.9", headers=headers) == 302
    (event,) = events("user.signed_in")
    assert (event.actor_kind, event.actor_id, event.target_kind, event.target_id) == (
        *("user", str(user.pk)),
        *("user", str(user.pk)),
    )
    assert (event.ip, event.user_agent, event.outcome) == ("192.0.2.9", "a browser", "success")
    assert event.request_id
    assert events("user.sign_in_failed") == []


def test_signing_out_is_on_record_once(client: Client) -> None:
    user = an_admin()
    client.force_login(user)
    for _ in range(2):
        client.post("/admin/logout/")
    (event,) = events("user.signed_out")
    assert (event.actor_id, event.target_id) == (str(user.pk), str(user.pk))


def test_a_flood_of_wrong_passwords_is_one_event_of_that_person(client: Client) -> None:
    user = an_admin()
    for n in range(6):
        assert sign_in(client, user.username, REMOTE_ADDR=f"192.0.2.{n % 3}") == 200
    (event,) = events("user.sign_in_failed")
    assert (event.actor_kind, event.target_kind, event.target_id) == ("anonymous", "user", str(user.pk))
    assert (event.outcome, event.reason) == ("failure", "wrong name or password")
    assert (event.after["count"], event.after["seen"]) == (6, ["192.0.2.0", "192.0.2.1", "192.0.2.2"])


def test_unknown_names_are_one_event_of_their_network_and_kept_nowhere(client: Client) -> None:
    for name in ("hunter2", "hunter2", "my secret"):
        sign_in(client, name, REMOTE_ADDR="2001:db8::1:2")
    (event,) = events("user.sign_in_failed")
    assert (event.target_kind, event.target_id, event.after["count"]) == ("network", "2001:db8::/64", 3)
    assert len(event.after["seen"]) == 2
    assert "hunter2" not in str(vars(event))


def test_the_hash_of_an_unknown_name_is_another_each_day(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(client, "nobody")
    monkeypatch.setattr("accounts.actions.sign_ins.timezone.now", lambda: datetime.now(UTC) + timedelta(days=1))
    sign_in(client, "nobody")
    (event,) = events("user.sign_in_failed")
    assert len(event.after["seen"]) == 2


def test_too_many_attempts_are_counted_too(client: Client) -> None:
    for _ in range(13):
        sign_in(client, "nobody", REMOTE_ADDR="192.0.2.9")
    counts = {event.reason: event.after["count"] for event in events("user.sign_in_failed")}
    assert counts == {"wrong name or password": 10, "too many attempts": 3}


def test_someone_without_access_who_knows_their_password_is_on_record(client: Client) -> None:
    user = an_admin(is_staff=False, is_superuser=False)
    assert sign_in(client, user.username, PASSWORD) == 200
    (event,) = events("user.sign_in_failed")
    assert (event.target_id, event.reason) == (str(user.pk), "may not sign in to the admin")
    assert events("user.signed_in") == []


def test_without_its_event_nobody_is_signed_in(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    user = an_admin()

    def full(**_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("compliance.audit.record", full)
    with pytest.raises(OSError, match="disk full"):
        sign_in(client, user.username, PASSWORD)
    assert client.get("/admin/").status_code == 302


# --- the commands that take the place of Django's ------------------------------------------------------------------


def test_a_command_that_adds_an_administrator_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--username", "root", stdout=io.StringIO())
    user = User.objects.get(username="root")
    assert user.is_superuser
    assert user.is_staff
    assert user.check_password(PASSWORD)
    event = AuditEvent.objects.get(target_kind="user", target_id=str(user.pk))
    assert (event.action, event.actor_kind, event.actor_id) == ("user.created", "command", "createsuperuser")


@pytest.mark.parametrize("arguments", [["--username", "root"], []], ids=["no password", "no name"])
def test_without_input_it_says_what_is_missing(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"--noinput|DJANGO_SUPERUSER"):
        call_command("createsuperuser", "--noinput", *arguments)


def test_a_command_that_sets_a_password_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    user = an_admin()
    monkeypatch.setattr("getpass.getpass", lambda _: "another good passphrase")
    call_command("changepassword", user.username, stdout=io.StringIO())
    user.refresh_from_db()
    assert user.check_password("another good passphrase")
    assert AuditEvent.objects.get(action="user.password_changed", target_id=str(user.pk)).actor_id == "changepassword"


def test_a_name_that_is_taken_adds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = an_admin()
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="already exists"):
        call_command("createsuperuser", "--noinput", "--username", taken.username)
    assert not AuditEvent.objects.filter(actor_id="createsuperuser").exists()
