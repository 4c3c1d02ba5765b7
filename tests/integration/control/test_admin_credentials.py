"""What people do with providers' credentials, and with keys that leaked, in the admin."""

from collections.abc import Iterator

import pytest
from django.contrib.messages import get_messages
from django.db import models
from django.test import Client

from accounts.models import ApiKey, User
from compliance.models import AuditEvent
from gateway.credentials import credential_of
from gateway.models import CredentialSource, Leak, Provider
from tests.factories import a_key, a_provider
from tests.factories.control import an_admin
from tests.factories.upstreams import Listing, answering

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OLD, NEW = "sk-the-old-one-aaaa", "sk-the-new-one-zzzz"
VARIABLE = "PROVIDER_CREDENTIAL_UPSTREAM"


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


@pytest.fixture
def upstream() -> Iterator[Listing]:
    with answering({OLD: 200, NEW: 200}) as listing:
        yield listing


@pytest.fixture
def provider(person: User, upstream: Listing) -> Provider:
    return a_provider(upstream.url, credential=OLD)


def page(row: models.Model, name: str = "change") -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{name}/"


def pressed(client: Client, row: models.Model, button: str, **values: str) -> str:
    """What is said after a button of a row's page was pressed and confirmed."""
    assert client.get(page(row, button)).status_code == 200
    answer = client.post(page(row, button), {"reason": "a ticket", **values})
    assert answer.status_code == 302
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def form_of(provider: Provider, **values: str) -> dict[str, object]:
    fields = ("name", "base_url", "output_limit_field", "connect_timeout_ms", "read_timeout_ms", "total_timeout_ms")
    kept = {name: getattr(provider, name) for name in fields}
    return {**kept, "active": "on", "source_kind": "typed", "source_reference": "", **values}


def test_a_refused_credential_is_said_to_be(client: Client, provider: Provider) -> None:
    said = pressed(client, provider, "replace-credential", credential="sk-a-wrong-one-xxxx")
    assert "refuses version 2 (status 401)" in said
    assert credential_of(provider) == OLD


def test_one_that_cannot_be_tested_is_used_anyway_and_rolled_back(
    client: Client, provider: Provider, upstream: Listing
) -> None:
    upstream.statuses[NEW] = 404
    assert "could not be tested" in pressed(client, provider, "replace-credential", credential=NEW)
    second, first = provider.credentials.get(version=2), provider.credentials.get(version=1)
    assert "could not be tested" in pressed(client, second, "test-now")
    assert "in use" in pressed(client, second, "use-anyway")
    assert credential_of(provider) == NEW
    assert "in use again" in pressed(client, first, "roll-back")
    assert credential_of(provider) == OLD


def test_why_it_was_replaced_is_on_record(client: Client, provider: Provider) -> None:
    pressed(client, provider, "replace-credential", credential=NEW)
    assert AuditEvent.objects.get(action="providercredential.switched").reason == "a ticket"


def test_a_look_at_the_source_uses_what_is_new(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, NEW)
    values = form_of(provider, source_kind="environment", source_reference=VARIABLE)
    assert client.post(page(provider), values).status_code == 302
    assert "Version 2 is in use" in pressed(client, provider, "look-now")
    assert "Nothing new" in pressed(client, provider, "look-now")
    assert credential_of(provider) == NEW


def test_nobody_reaches_other_secrets_by_a_provider(client: Client, provider: Provider) -> None:
    values = form_of(provider, source_kind="environment", source_reference="ROOT_KEYS")
    answer = client.post(page(provider), values)
    assert "PROVIDER_CREDENTIAL_" in answer.content.decode()
    assert not CredentialSource.objects.exists()


def test_buttons_do_nothing_without_a_confirmation(client: Client, provider: Provider, upstream: Listing) -> None:
    for button in ("replace-credential", "look-now"):
        client.get(page(provider, button))
    assert upstream.asked == []


def test_who_may_only_look_can_do_nothing(client: Client, provider: Provider) -> None:
    client.force_login(an_admin(is_superuser=False))
    for button in ("replace-credential", "look-now"):
        assert client.post(page(provider, button), {"credential": NEW, "reason": "x"}).status_code in (302, 403, 404)
    assert credential_of(provider) == OLD


def test_a_leaked_key_is_reported_and_ends(client: Client, person: User) -> None:
    key, text = a_key()
    answer = client.post("/admin/gateway/leak/add/", {"text": text, "where": "a chat"})
    assert answer.status_code == 302
    assert ApiKey.objects.get(pk=key.pk).status == "revoked"
    leak = Leak.objects.get()
    assert (leak.source, leak.place) == ("admin", "a chat")
    assert text not in client.get(page(leak)).content.decode()
    assert AuditEvent.objects.get(action="apikey.leaked").actor_id == str(person.pk)


def test_something_else_is_refused_in_words(client: Client, person: User) -> None:
    answer = client.post("/admin/gateway/leak/add/", {"text": "pcl_dev_x", "where": ""})
    assert "no key of this installation" in answer.content.decode()
    assert not Leak.objects.exists()
