"""Issuing a key in the admin: its secret is shown once and kept nowhere."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from accounts import tokens
from accounts.actions import tenants
from accounts.models import ApiKey, User
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_key, a_model, a_provider, an_application
from tests.factories.control import a_usage_record, an_admin, events_of

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

ADD = "/admin/accounts/apikey/add/"


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    cache.clear()


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


def the_form(client: Client, **fields: Any) -> dict[str, Any]:
    """What a browser would post after the form was opened and filled in."""
    nonce = client.get(ADD).context["adminform"].form.fields["nonce"].initial
    application = fields.pop("application", None) or an_application()
    values = {"application": application.pk, "name": "service", "environment": "production", "scopes": ["chat"]}
    return {**values, "nonce": nonce, **fields}


def secret_in(text: str) -> str:
    (found,) = re.findall(r'<code id="secret">([^<]+)</code>', text)
    return str(found)


def test_it_works(client: Client, person: User) -> None:
    response = client.post(ADD, the_form(client))
    secret = secret_in(response.content.decode())
    parsed = tokens.parse(secret)
    assert parsed is not None
    key = ApiKey.objects.get(public_id=parsed.public_id)
    assert (key.name, key.environment, key.scopes) == ("service", "production", ["chat"])
    assert "no-store" in response["Cache-Control"]


def test_the_secret_is_kept_nowhere(client: Client, person: User, capsys: Any, caplog: Any) -> None:
    secret = secret_in(client.post(ADD, the_form(client)).content.decode())
    part = secret.split("_")[3]
    for page in (
        "/admin/accounts/apikey/",
        f"/admin/accounts/apikey/{ApiKey.objects.latest('id').pk}/change/",
        "/admin/",
    ):
        assert part not in client.get(page).content.decode()
    assert part not in str(dict(client.session))
    assert part not in str(client.cookies)
    assert part not in str(list(AuditEvent.objects.values()))
    output = capsys.readouterr()
    assert part not in output.out + output.err + caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM django_cache UNION ALL SELECT session_data FROM django_session")
        assert part not in str(cursor.fetchall())


def test_sending_the_form_again_issues_no_second_key(client: Client, person: User) -> None:
    """A reload, a double click, or the back button."""
    values = the_form(client)
    client.post(ADD, values)
    response = client.post(ADD, values)
    assert "has issued its key already" in response.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_refused_form_can_be_sent_again(client: Client, person: User) -> None:
    application = an_application()
    tenants.suspend(tenant=application.tenant, by=THE_SYSTEM)
    values = the_form(client, application=application)
    assert "resume it first" in client.post(ADD, values).content.decode()
    tenants.resume(tenant=application.tenant, by=THE_SYSTEM)
    assert secret_in(client.post(ADD, values).content.decode())


def test_issuing_leaves_one_event(client: Client, person: User) -> None:
    client.post(ADD, the_form(client))
    (event,) = events_of(person)
    assert event.action == "apikey.created"


def test_limits_of_a_key_are_kept(client: Client, person: User) -> None:
    model = a_model(a_provider("http://127.0.0.1:9/v1"))
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    values = the_form(
        client,
        allowed_models=[model.name],
        allowed_networks="10.0.0.0/8, 192.0.2.1",
        expires_at_0=f"{tomorrow:%Y-%m-%d}",
        expires_at_1=f"{tomorrow:%H:%M:%S}",
    )
    client.post(ADD, values)
    key = ApiKey.objects.get()
    assert key.allowed_models == [model.name]
    assert key.allowed_networks == ["10.0.0.0/8", "192.0.2.1"]
    assert key.expires_at == tomorrow


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}, "lies in the past", id="expired"),
        pytest.param({"allowed_models": ["no-such-model"]}, "not one of the available choices", id="unknown model"),
        pytest.param({"scopes": ["everything"]}, "not one of the available choices", id="unknown scope"),
        pytest.param({"scopes": []}, "required", id="no scope"),
        pytest.param({"environment": "test"}, "not one of the available choices", id="unknown environment"),
        pytest.param({"allowed_networks": "10.0.0.0/99"}, "is not a network", id="no network"),
        pytest.param({"nonce": ""}, "required", id="no number"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, Any], words: str, client: Client, person: User) -> None:
    response = client.post(ADD, the_form(client, **fields))
    assert response.status_code == 200
    assert words in str(response.context["adminform"].form.errors) + response.content.decode()
    assert not ApiKey.objects.exists()


def test_a_model_that_is_gone_stays_in_the_list_of_a_key(client: Client, person: User) -> None:
    key, _ = a_key(allowed_models=["retired"])
    client.post(
        f"/admin/accounts/apikey/{key.pk}/change/", {"name": "x", "scopes": ["chat"], "allowed_models": ["retired"]}
    )
    key.refresh_from_db()
    assert (key.name, key.allowed_models) == ("x", ["retired"])


def test_last_use_comes_from_usage(client: Client, person: User) -> None:
    key, _ = a_key()
    assert "Never" in client.get("/admin/accounts/apikey/").content.decode()
    record = a_usage_record(key)
    assert f"{record.at:%Y-%m-%d %H:%M}" in client.get("/admin/accounts/apikey/").content.decode()


def test_a_revoked_key_can_only_be_read(client: Client, person: User) -> None:
    key, _ = a_key()
    client.post(f"/admin/accounts/apikey/{key.pk}/revoke/", {"reason": "leaked"})
    assert client.get(f"/admin/accounts/apikey/{key.pk}/change/").status_code == 200
    assert client.post(f"/admin/accounts/apikey/{key.pk}/change/", {"name": "mine"}).status_code == 403
