"""The link to a new secret shows it once, to whoever presses the button, and to nothing that only looks."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import claims, tokens
from accounts.actions import applications, keys, rotations, tenants
from accounts.models import ApiKey, SecretClaim
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    cache.clear()


@pytest.fixture
def link() -> str:
    """The path of a link to the new secret of a key."""
    return link_to(a_key()[0])


def link_to(key: ApiKey) -> str:
    return claims.url_of(rotations.rotate(key=key, by=THE_SYSTEM).pk)


def secret_in(response: Any) -> str | None:
    text = response.content.decode()
    return text.partition('<code id="secret">')[2].partition("</code>")[0] or None


def test_it_works(client: Client, link: str) -> None:
    page = client.get(link)
    assert page.status_code == 200
    assert "Show the key" in page.content.decode()
    secret = secret_in(client.post(link))
    assert secret is not None
    token = tokens.parse(secret)
    assert token is not None
    assert ApiKey.objects.filter(public_id=token.public_id).exists()


def test_looking_uses_nothing_up(client: Client, link: str) -> None:
    for _ in range(5):
        assert secret_in(client.get(link)) is None
        assert client.head(link).status_code == 200
    assert client.put(link).status_code == 405
    assert SecretClaim.objects.get().state == "waiting"
    assert secret_in(client.post(link))


def test_the_second_time_it_says_when_it_was_used(client: Client, link: str) -> None:
    client.post(link)
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 410
        assert f"It was used on <strong>{timezone.now():%Y-%m-%d}" in answer.content.decode()
        assert secret_in(answer) is None


@pytest.mark.parametrize("token", ["x" * 43, "x", "a" * 5000, "%00"])
def test_what_never_was_a_link_is_told_nothing(client: Client, token: str) -> None:
    answer = client.post(f"/claim/{token}")
    assert answer.status_code == 410
    assert "It was used" not in answer.content.decode()


def test_it_ends_with_its_time_and_with_the_key(client: Client, link: str) -> None:
    SecretClaim.objects.update(expires_at=timezone.now())
    assert client.post(link).status_code == 410
    SecretClaim.objects.update(expires_at=timezone.now() + timedelta(days=1))
    keys.revoke(key=SecretClaim.objects.get().key, by=THE_SYSTEM)
    assert client.post(link).status_code == 410


@pytest.mark.parametrize("what", ["key", "application", "tenant"])
def test_what_is_suspended_is_not_handed_out(client: Client, link: str, what: str) -> None:
    key = SecretClaim.objects.get().key
    actions: dict[str, tuple[Any, dict[str, Any]]] = {
        "key": (keys, {"key": key}),
        "application": (applications, {"application": key.application}),
        "tenant": (tenants, {"tenant": key.tenant}),
    }
    of, row = actions[what]
    of.suspend(**row, by=THE_SYSTEM)
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 403
        assert "The key is suspended" in answer.content.decode()
        assert secret_in(answer) is None
    said = client.post(link, headers={"Accept": "application/json"})
    assert (said.status_code, said.json()["error"]["code"]) == (403, "key_suspended")
    assert claims.url_of(SecretClaim.objects.get().pk) == ""
    of.resume(**row, by=THE_SYSTEM)
    assert secret_in(client.post(link))


def test_a_key_that_has_expired_is_not_handed_out(client: Client, link: str) -> None:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    keys.suspend(key=ApiKey.objects.get(), by=THE_SYSTEM)
    assert client.post(link).status_code == 410


def test_nobody_keeps_it(client: Client, link: str) -> None:
    for answer in (client.get(link), client.post(link), client.get(link), client.get("/claim/nothing")):
        assert answer["Cache-Control"] == "no-store, private"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert answer["X-Frame-Options"] == "DENY"
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy
        assert not answer.cookies


def test_programs_get_json(client: Client, link: str) -> None:
    accept = {"Accept": "application/json"}
    about = client.get(link, headers=accept).json()
    assert set(about) == {"name", "application", "environment", "key", "ends_at"}
    answer = client.post(link, headers=accept).json()
    assert tokens.parse(answer["api_key"])
    over = client.post(link, headers=accept)
    assert over.status_code == 410
    assert over.json()["error"]["code"] == "link_over"


def test_it_is_on_record_without_the_link(client: Client, link: str) -> None:
    secret = secret_in(client.post(link, headers={"User-Agent": "a browser"}))
    event = AuditEvent.objects.get(action="apikey.secret_claimed")
    assert (event.actor_kind, event.ip, event.user_agent) == ("anonymous", "127.0.0.1", "a browser")
    row = repr(AuditEvent.objects.filter(pk=event.pk).values().get())
    assert str(secret) not in row
    assert link.rpartition("/")[2] not in row


def test_an_address_may_not_try_for_ever(client: Client, link: str) -> None:
    answers = [client.get("/claim/guess").status_code for _ in range(31)]
    assert (answers[0], answers[-1]) == (410, 429)
    assert client.get(link)["Retry-After"]


def test_without_its_root_key_it_is_not_used_up(client: Client, link: str, settings: Any) -> None:
    right = settings.ROOT_KEYS
    settings.ROOT_KEYS = {1: b"x" * 32}
    assert client.post(link).status_code == 503
    settings.ROOT_KEYS = right
    assert secret_in(client.post(link))
