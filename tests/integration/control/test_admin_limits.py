"""How often one address may try to sign in, and issue keys."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory, override_settings
from django_ratelimit.core import get_usage

from accounts.models import ApiKey
from tests.factories import an_application
from tests.factories.control import PASSWORD, an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

LOGIN = "/admin/login/"
WRONG = {"username": "acme", "password": "guess"}


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A minute that does not end during a test."""
    cache.clear()
    monkeypatch.setattr("django_ratelimit.core.time.time", lambda: 1_800_000_000.0)
    yield
    cache.clear()


def test_the_eleventh_attempt_in_a_minute_is_refused(client: Client) -> None:
    assert [client.post(LOGIN, WRONG).status_code for _ in range(11)] == [200] * 10 + [429]


def test_the_refusal_says_when_to_try_again(client: Client) -> None:
    for _ in range(11):
        response = client.post(LOGIN, WRONG)
    wait = int(response["Retry-After"])
    assert 0 < wait <= 60
    assert f"{wait} second" in response.content.decode()


def test_the_right_password_is_refused_as_well(client: Client) -> None:
    user = an_admin()
    for _ in range(10):
        client.post(LOGIN, WRONG)
    assert client.post(LOGIN, {"username": user.username, "password": PASSWORD}).status_code == 429
    assert "_auth_user_id" not in client.session


def test_another_address_is_not_affected(client: Client) -> None:
    for _ in range(11):
        client.post(LOGIN, WRONG, REMOTE_ADDR="192.0.2.1")
    assert client.post(LOGIN, WRONG, REMOTE_ADDR="192.0.2.2").status_code == 200


def test_looking_at_the_form_does_not_count(client: Client) -> None:
    assert {client.get(LOGIN).status_code for _ in range(15)} == {200}


def test_a_header_that_the_client_wrote_gives_no_new_attempts(client: Client) -> None:
    answers = [client.post(LOGIN, WRONG, headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in range(11)]
    assert answers[-1] == 429


@override_settings(TRUSTED_PROXIES=["127.0.0.1"])
def test_behind_a_trusted_proxy_the_client_counts() -> None:
    client = Client()
    for _ in range(11):
        client.post(LOGIN, WRONG, headers={"X-Forwarded-For": "192.0.2.1"})
    assert client.post(LOGIN, WRONG, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 429
    assert client.post(LOGIN, WRONG, headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 200


def test_keys_are_issued_thirty_a_minute(client: Client, rf: RequestFactory) -> None:
    for _ in range(28):  # counted as the page counts them, without thirty pages in one transaction
        get_usage(rf.post("/"), group="issue-key", key="ip", rate="30/m", method="POST", increment=True)
    client.force_login(an_admin())
    application = an_application()
    values = {"application": application.pk, "name": "service", "environment": "dev", "scopes": ["chat"]}
    answers = [client.post("/admin/accounts/apikey/add/", {**values, "nonce": str(n)}).status_code for n in range(3)]
    assert answers == [200, 200, 429]
    assert ApiKey.objects.filter(application=application).count() == 2
