"""What the admin's forms keep people from doing by oversight: free tokens, dead routes, tenants without a tier."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.actions import prices
from billing.models import Price
from tests.factories import THE_SYSTEM, a_model, a_provider
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger"])

PRICE = {"model": "large", "valid_from_0": "2026-01-01", "valid_from_1": "00:00:00", "request_nano": "0"}
ADD_PRICE = "/admin/billing/price/add/"


@pytest.fixture(autouse=True)
def _person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


def the_form(client: Client, url: str) -> Any:
    return client.get(url).context["adminform"].form


def errors_of(client: Client, url: str, values: dict[str, Any]) -> dict[str, list[str]]:
    """What is wrong with a form that must be refused."""
    response = client.post(url, values)
    assert response.status_code == 200
    return {name: list(errors) for name, errors in response.context["adminform"].form.errors.items()}


# --- prices -------------------------------------------------------------------------------------------------------


def test_no_rate_of_a_price_is_preset(client: Client) -> None:
    form = the_form(client, ADD_PRICE)
    assert {name: form[name].value() for name in form.fields if name.endswith("_nano")} == {
        "input_nano": None,
        "output_nano": None,
        "cached_input_nano": None,
        "cache_write_nano": None,
        "request_nano": "0",
    }


def test_input_and_output_must_be_priced(client: Client) -> None:
    errors = errors_of(client, ADD_PRICE, {**PRICE, "provider": a_provider("http://127.0.0.1:9/v1").slug})
    assert errors == {name: ["This field is required."] for name in ("input_nano", "output_nano")}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        pytest.param({"input_nano": "2", "output_nano": "8"}, (2, 2, 2, 8), id="as input"),
        pytest.param(
            {"input_nano": "2", "output_nano": "8", "cached_input_nano": "0"}, (2, 0, 2, 8), id="free if said"
        ),
        pytest.param({"input_nano": "0", "output_nano": "0"}, (0, 0, 0, 0), id="all free"),
    ],
)
def test_kinds_of_input_without_a_rate_cost_what_input_does(
    typed: dict[str, str], stored: tuple[int, ...], client: Client
) -> None:
    provider = a_provider("http://127.0.0.1:9/v1")
    assert client.post(ADD_PRICE, {**PRICE, "provider": provider.slug, **typed}).status_code == 302
    price = Price.objects.get(provider=provider.slug)
    rates = (price.input_nano, price.cached_input_nano, price.cache_write_nano, price.output_nano)
    assert rates == tuple(dollars * 10**9 for dollars in stored)


def test_a_price_is_of_a_provider_that_there_is(client: Client) -> None:
    provider = a_provider("http://127.0.0.1:9/v1")
    assert (provider.slug, provider.slug) in the_form(client, ADD_PRICE).fields["provider"].choices
    errors = errors_of(client, ADD_PRICE, {**PRICE, "provider": "typo", "input_nano": "1", "output_nano": "1"})
    assert list(errors) == ["provider"]


def test_a_price_whose_provider_is_gone_can_still_be_corrected(client: Client) -> None:
    price = prices.add(price=Price(provider="gone", model="large"), by=THE_SYSTEM)
    values = {**PRICE, "provider": "gone", "input_nano": "1", "output_nano": "1"}
    assert client.post(f"/admin/billing/price/{price.pk}/change/", values).status_code == 302


def test_a_price_for_a_name_that_no_deployment_has_warns(client: Client) -> None:
    provider = a_provider("http://127.0.0.1:9/v1")
    a_model(provider, upstream_model="deployed")
    values = {**PRICE, "provider": provider.slug, "input_nano": "1", "output_nano": "1"}
    for model, warned in (("deployed", False), ("deployde", True)):
        response = client.post(ADD_PRICE, {**values, "model": model}, follow=True)
        assert (f"No deployment at {provider.slug} has the model {model}" in response.content.decode()) is warned


# --- providers ----------------------------------------------------------------------------------------------------


def test_a_provider_that_prices_refer_to_keeps_its_slug(client: Client) -> None:
    provider = a_provider("http://127.0.0.1:9/v1")
    before = provider.slug
    values = {
        "name": "Renamed",
        "slug": "renamed",
        "base_url": provider.base_url,
        "active": "on",
        "output_limit_field": "max_tokens",
        "connect_timeout_ms": 1,
        "read_timeout_ms": 1,
        "total_timeout_ms": 1,
    }
    assert client.post(f"/admin/gateway/provider/{provider.pk}/change/", values).status_code == 302
    provider.refresh_from_db()
    assert (provider.name, provider.slug) == ("Renamed", before)


def test_the_form_says_which_field_limits_output(client: Client) -> None:
    help_text = the_form(client, "/admin/gateway/provider/add/").fields["output_limit_field"].help_text
    assert "OpenAI's current models want max_completion_tokens; most others max_tokens." in help_text
