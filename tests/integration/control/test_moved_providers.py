"""A credential is sent only where it was stored for: who moves a provider does not get its secret."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from compliance.errors import ActionRefused
from compliance.models import AuditEvent
from gateway import compile, credentials
from gateway.actions import credentials as actions
from gateway.actions import providers
from gateway.models import CredentialSource, Provider, ProviderCredential
from tests.factories import THE_SYSTEM, a_model, a_provider
from tests.factories.control import an_admin
from tests.factories.upstreams import Listing, answering
from tests.integration.control.test_admin_credentials import form_of, page

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OLD, NEW = "sk-the-old-one-aaaa", "sk-the-new-one-zzzz"
VARIABLE = "PROVIDER_CREDENTIAL_UPSTREAM"


@pytest.fixture
def upstream() -> Iterator[Listing]:
    with answering({OLD: 200, NEW: 200}) as listing:
        yield listing


@pytest.fixture
def elsewhere() -> Iterator[Listing]:
    with answering({OLD: 200, NEW: 200}) as listing:
        yield listing


@pytest.fixture
def provider(upstream: Listing) -> Provider:
    return a_provider(upstream.url, credential=OLD)


def move(provider: Provider, url: str) -> Provider:
    provider = Provider.objects.get(pk=provider.pk)
    provider.base_url = url
    return providers.change(provider=provider, by=THE_SYSTEM)


def states(provider: Provider) -> dict[int, str]:
    return dict(provider.credentials.order_by("version").values_list("version", "state"))


def sent_to(provider: Provider) -> set[tuple[str, str]]:
    """Where gateways send what."""
    routes = [each for model in compile.route_table().value.models.values() for each in model.routes]
    return {(route.base_url, route.credential) for route in routes if route.provider == provider.slug}


def test_a_moved_provider_is_called_without_the_credential(provider: Provider, elsewhere: Listing) -> None:
    a_model(provider)
    assert sent_to(provider) == {(provider.base_url, OLD)}
    provider = move(provider, elsewhere.url)
    assert sent_to(provider) == {(elsewhere.url, "")}
    assert states(provider) == {1: "retired"}
    (event,) = AuditEvent.objects.filter(action="providercredential.retired")
    assert "was at http://127.0.0.1" in event.reason


def test_another_path_of_the_same_host_changes_nothing(provider: Provider) -> None:
    provider = move(provider, f"{provider.base_url}/v2")
    assert credentials.credential_of(provider) == OLD
    provider.read_timeout_ms = 5
    providers.change(provider=provider, by=THE_SYSTEM)
    assert states(provider) == {1: "current"}


def test_what_is_refused_moves_nothing(provider: Provider) -> None:
    with pytest.raises(ValidationError):
        move(provider, "nowhere")
    assert states(provider) == {1: "current"}


def test_what_was_retired_is_neither_rolled_back_nor_used_elsewhere(provider: Provider, elsewhere: Listing) -> None:
    home = provider.base_url
    provider = move(provider, elsewhere.url)
    first = provider.credentials.get()
    with pytest.raises(ActionRefused, match="is elsewhere now"):
        actions.roll_back(credential=first, by=THE_SYSTEM, reason="for me")
    actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert credentials.credential_of(provider) == NEW
    provider = move(provider, home)
    actions.roll_back(credential=first, by=THE_SYSTEM, reason="moved back")
    assert credentials.credential_of(provider) == OLD
    assert elsewhere.asked == [NEW]


def test_what_waits_is_given_up(provider: Provider, upstream: Listing, elsewhere: Listing) -> None:
    upstream.statuses[NEW] = 500
    waiting = actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert waiting.state == "pending"
    provider = move(provider, elsewhere.url)
    assert states(provider) == {1: "retired", 2: "refused"}
    for act in (actions.try_out, actions.use_anyway):
        with pytest.raises(ActionRefused):
            act(credential=waiting, by=THE_SYSTEM, reason="for me")
    actions.look_at_all(by=THE_SYSTEM)
    assert elsewhere.asked == []


def test_nothing_is_looked_up_for_another_address(
    provider: Provider, elsewhere: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, OLD)
    actions.draw_from(provider=provider, kind="environment", reference=VARIABLE, by=THE_SYSTEM)
    provider = move(provider, elsewhere.url)
    assert not CredentialSource.objects.exists()
    monkeypatch.setenv(VARIABLE, NEW)
    actions.look_at_all(by=THE_SYSTEM)
    assert elsewhere.asked == []
    assert credentials.credential_of(provider) == ""


def test_nor_for_one_that_moves_meanwhile(
    provider: Provider, elsewhere: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, OLD)
    actions.draw_from(provider=provider, kind="environment", reference=VARIABLE, by=THE_SYSTEM)

    def read(kind: str, reference: str) -> str:
        move(provider, elsewhere.url)
        return NEW

    monkeypatch.setattr("gateway.credential_sources.read", read)
    with pytest.raises(ActionRefused, match="has changed meanwhile"):
        actions.look(provider=provider, by=THE_SYSTEM)
    assert elsewhere.asked == []
    assert states(provider) == {1: "retired"}


def test_gateways_that_read_amid_a_move_send_nothing(provider: Provider, elsewhere: Listing) -> None:
    """They read credentials and providers one after another."""
    a_model(provider)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE gateway_provider SET base_url = %s WHERE id = %s", [elsewhere.url, provider.pk])
    assert sent_to(provider) == {(elsewhere.url, "")}


def test_the_form_says_so_before_and_after(client: Client, provider: Provider, elsewhere: Listing) -> None:
    client.force_login(an_admin())
    assert "retires the credential" in client.get(page(provider)).content.decode()
    answer: Any = client.post(page(provider), form_of(provider, base_url=elsewhere.url))
    assert answer.status_code == 302
    assert any("has moved" in str(message) for message in get_messages(answer.wsgi_request))
    row = ProviderCredential.objects.get()
    assert row.state == "retired"
    shown = client.get(page(row)).content.decode()
    assert row.address in shown
    assert "Roll back to it" not in shown


def test_what_was_stored_before_there_were_addresses_is_meant_for_where_it_is(provider: Provider) -> None:
    ProviderCredential.objects.update(address="")
    assert credentials.credential_of(provider) == ""
    import_module("gateway.migrations.0007_credentials").fill_addresses(apps, None)
    assert credentials.credential_of(provider) == OLD
