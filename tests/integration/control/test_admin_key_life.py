"""Keys in the admin: rotate, hand out the link, close the overlap; many at once; and who uses them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import claims
from accounts.actions import keys, rotations, secret_uses
from accounts.models import ApiKey, RetiringSecret, User
from tests.factories import THE_SYSTEM, a_key
from tests.factories.control import a_refusal, a_usage_record, an_admin, events_of

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

LIST = "/admin/accounts/apikey/"


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    cache.clear()


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


def page(client: Client, key: ApiKey) -> str:
    return client.get(f"{LIST}{key.pk}/change/").content.decode()


def press(client: Client, key: ApiKey, step: str, reason: str = "a ticket") -> str:
    url = f"{LIST}{key.pk}/{step}/"
    return client.post(url, {"reason": reason}, follow=True).content.decode()


def link(key: ApiKey) -> str:
    waiting = claims.waiting_for(key)
    assert waiting is not None
    return claims.url_of(waiting.pk)


def test_rotate_claim_and_close(client: Client, person: User) -> None:
    key, _ = a_key()
    text = press(client, key, "rotate")
    assert link(key) in text
    assert "has a new secret" in text
    assert "Works until" in text
    rotations.claim(token=link(key).rpartition("/")[2], by=THE_SYSTEM)
    assert "every secret was claimed" in page(client, key)
    assert "Only the current secret" in press(client, key, "end_overlap")
    assert RetiringSecret.objects.get().ended_at is not None
    assert [event.action for event in events_of(person)] == ["apikey.rotated", "apikey.old_secret_ended"]


def test_the_buttons_are_those_that_make_sense(client: Client, person: User) -> None:
    key, _ = a_key()
    assert "Rotate now" in page(client, key)
    assert "Close the overlap" not in page(client, key)
    before = press(client, key, "rotate")
    assert "Rotate now" not in before
    assert "New link" in before
    assert "Close the overlap" in before
    old = link(key)
    assert old not in press(client, key, "renew_link")


def test_closing_warns_while_nobody_has_the_new_secret(client: Client, person: User) -> None:
    key, _ = a_key()
    rotations.rotate(key=key, by=THE_SYSTEM)
    url = f"{LIST}{key.pk}/end_overlap/"
    assert "Nobody has claimed the new secret yet" in client.get(url).content.decode()
    rotations.claim(token=link(key).rpartition("/")[2], by=THE_SYSTEM)
    assert "It was not used" in client.get(url).content.decode()
    secret_uses.note_uses(times={RetiringSecret.objects.get().public_id: timezone.now().timestamp()})
    assert f"It was last used on {timezone.now():%Y-%m-%d}" in client.get(url).content.decode()


def test_who_may_only_look_does_not_see_the_link(client: Client) -> None:
    viewer = an_admin(is_superuser=False)
    viewer.user_permissions.add(Permission.objects.get(codename="view_apikey"))
    client.force_login(viewer)
    key, _ = a_key()
    rotations.rotate(key=key, by=THE_SYSTEM)
    text = page(client, key)
    assert "Works until" in text
    assert "/claim/" not in text
    assert client.post(f"{LIST}{key.pk}/rotate/", {"reason": "no"}).status_code == 403


def test_both_secrets_tell_their_last_use(client: Client, person: User) -> None:
    key, _ = a_key()
    rotations.rotate(key=key, by=THE_SYSTEM)
    old = RetiringSecret.objects.get().public_id
    new = ApiKey.objects.get().public_id
    for public_id, hours in ((old, 2), (new, 1)):
        at = timezone.now().replace(minute=30) - timedelta(days=1, hours=hours)
        secret_uses.note_uses(times={public_id: at.timestamp()})
        assert f"{at:%Y-%m-%d %H:%M}" in page(client, key)


def test_the_page_shows_what_was_used(client: Client, person: User) -> None:
    key, _ = a_key()
    assert "No requests in the last 30 days" in page(client, key)
    a_usage_record(key, cost_nano=1_500_000_000)
    a_usage_record(key, at=timezone.now() - timedelta(days=3))
    a_refusal(key, requests=2)
    text = page(client, key)
    assert "4 requests" in text
    assert "2 refused" in text
    assert "$1.50" in text
    assert text.count('class="pcl-day"') == 30


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("use=never", {"never", "waits", "soon"}),
        ("use=unused", {"unused"}),
        ("rotation=waits", {"waits"}),
        ("rotation=overlap", {"waits"}),
        ("rotation=soon", {"soon"}),
        ("rotation=nonsense", {"never", "unused", "waits", "soon"}),
    ],
)
def test_filters(client: Client, person: User, filters: str, expected: set[str]) -> None:
    now = timezone.now()
    made = {name: a_key()[0] for name in ("never", "unused", "waits", "soon")}
    for name, key in made.items():
        ApiKey.objects.filter(pk=key.pk).update(name=name)
    ApiKey.objects.filter(name="unused").update(created_at=now - timedelta(days=100))
    secret_uses.note_uses(times={made["unused"].public_id: (now - timedelta(days=95)).timestamp()})
    rotations.rotate(key=made["waits"], by=THE_SYSTEM)
    ApiKey.objects.filter(name="soon").update(rotation_due_at=now + timedelta(days=3))
    rows = client.get(f"{LIST}?{filters}").context["cl"].result_list
    assert {row.name for row in rows} == expected


def choose(client: Client, step: str, chosen: list[ApiKey], **more: Any) -> Any:
    values = {"action": f"{step}_chosen", "_selected_action": [key.pk for key in chosen], **more}
    return client.post(LIST, values, follow=True)


@pytest.mark.parametrize(
    ("step", "status", "action"),
    [
        ("suspend", "suspended", "apikey.suspended"),
        ("revoke", "revoked", "apikey.revoked"),
        ("rotate", "active", "apikey.rotated"),
    ],
)
def test_many_at_once(client: Client, person: User, step: str, status: str, action: str) -> None:
    chosen = [a_key()[0] for _ in range(3)]
    other, _ = a_key()
    text = choose(client, step, chosen).content.decode()
    assert all(key.masked in text for key in chosen)
    assert not events_of(person)
    text = choose(client, step, chosen, confirmed="yes", reason="an incident").content.decode()
    assert "3 keys are" in text
    assert set(ApiKey.objects.exclude(pk=other.pk).values_list("status", flat=True)) == {status}
    assert [(event.action, event.reason) for event in events_of(person)] == [(action, "an incident")] * 3
    other.refresh_from_db()
    assert other.status == "active"


def test_many_at_once_need_a_reason(client: Client, person: User) -> None:
    chosen = [a_key()[0]]
    assert "This field is required" in choose(client, "revoke", chosen, confirmed="yes", reason="").content.decode()
    assert not events_of(person)


def test_those_that_it_makes_no_sense_for_are_left_out(client: Client, person: User) -> None:
    active, suspended, revoked = (a_key()[0] for _ in range(3))
    keys.suspend(key=suspended, by=THE_SYSTEM)
    keys.revoke(key=revoked, by=THE_SYSTEM)
    text = choose(client, "resume", [active, suspended, revoked]).content.decode()
    assert "2 cannot be resumed" in text
    assert active.masked not in text
    choose(client, "resume", [active, suspended, revoked], confirmed="yes", reason="over")
    suspended.refresh_from_db()
    assert suspended.status == "active"
    assert "None of these keys" in choose(client, "resume", [revoked]).content.decode()


def test_who_may_only_look_has_no_actions(client: Client) -> None:
    viewer = an_admin(is_superuser=False)
    viewer.user_permissions.add(Permission.objects.get(codename="view_apikey"))
    client.force_login(viewer)
    key, _ = a_key()
    choose(client, "revoke", [key], confirmed="yes", reason="no")
    key.refresh_from_db()
    assert key.status == "active"
