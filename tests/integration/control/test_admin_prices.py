"""Prices beyond tokens in and out: service tiers, hidden reasoning, web search; and what of them list prices know."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing import list_prices
from billing.actions import prices
from billing.models import Price
from gateway import selectors
from gateway.models import Deployment
from tests.factories import THE_SYSTEM, a_model, a_provider
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

ADD = "/admin/billing/price/add/"
LIST = "/admin/billing/price/"
DOLLAR = 1_000_000_000


@pytest.fixture(autouse=True)
def _signed_in(client: Client) -> None:
    client.force_login(an_admin())


def add(client: Client, **values: Any) -> Price:
    given = {
        "provider": a_provider("http://127.0.0.1:9/v1").slug,
        "model": "large",
        "valid_from_0": "2026-01-01",
        "valid_from_1": "00:00:00",
        "input_nano": "1",
        "output_nano": "2",
        "request_nano": "0",
        **values,
    }
    response = client.post(ADD, given)
    assert response.status_code == 302, response.context["adminform"].form.errors
    return Price.objects.latest("pk")


def test_what_only_some_models_cost_is_set_and_shown(client: Client) -> None:
    price = add(client, service_tier="flex", reasoning_nano="12.5", search_nano="0.025", request_nano="0.005")
    assert (price.service_tier, price.reasoning_nano, price.search_nano) == ("flex", 12_500_000_000, 25_000_000)
    text = client.get(LIST).content.decode()
    assert f"{price.provider} · flex" in text
    assert "reasoning $12.50 · search $0.025 each · $0.005 a request" in text


@pytest.mark.parametrize(
    ("typed", "stored"),
    [pytest.param("", None, id="none: refused, or as output"), pytest.param("0", 0, id="free, as somebody says")],
)
def test_empty_is_not_free(typed: str, stored: int | None, client: Client) -> None:
    price = add(client, reasoning_nano=typed, search_nano=typed)
    assert (price.reasoning_nano, price.search_nano) == (stored, stored)


def test_a_price_of_one_service_tier_replaces_none_of_another(client: Client) -> None:
    price = add(client)
    prices.add(
        price=Price(provider=price.provider, model="large", service_tier="flex", valid_from=timezone.now()),
        by=THE_SYSTEM,
    )
    text = client.get(LIST).content.decode()
    assert text.count("In force") == 2
    assert "Replaced" not in text


def test_a_model_is_served_by_a_price_of_the_default_service_tier_alone() -> None:
    model = a_model(a_provider("http://127.0.0.1:9/v1"))
    deployments = list(Deployment.objects.filter(model=model).select_related("provider"))
    assert selectors.priced(deployments) == {deployments[0].pk}
    price = Price.objects.get(provider=deployments[0].provider.slug)
    price.service_tier = "flex"
    prices.change(price=price, by=THE_SYSTEM)
    assert selectors.priced(deployments) == set()


# --- list prices --------------------------------------------------------------------------------------------------


def test_list_prices_of_reasoning_and_search_are_seeded() -> None:
    nano = list_prices.list_price(provider="perplexity", model="sonar-deep-research")
    assert nano is not None
    assert (nano["output_nano"], nano["reasoning_nano"], nano["search_nano"]) == (8 * DOLLAR, 3 * DOLLAR, 5_000_000)


def test_what_the_list_does_not_know_stays_empty() -> None:
    nano = list_prices.list_price(provider="x-ai", model="grok-4")
    assert nano is not None
    assert (nano["reasoning_nano"], nano["search_nano"], nano["request_nano"]) == (None, None, 0)


def test_a_seeded_price_has_all_of_the_list(client: Client) -> None:
    (price,) = prices.seed(provider="perplexity", models=["sonar-deep-research"], by=THE_SYSTEM)
    assert (price.reasoning_nano, price.search_nano) == (3 * DOLLAR, 5_000_000)
    assert prices.follow_list(provider="perplexity", models=["sonar-deep-research"], by=THE_SYSTEM) == []


# --- models -------------------------------------------------------------------------------------------------------


def test_what_is_held_for_a_model_is_set(client: Client) -> None:
    values = {
        "name": "thinker",
        "owned_by": "us",
        "tokenizer": "o200k_base",
        "hidden_reasoning": "on",
        "image_tokens_most": 48_200,
        "context_tokens": 200_000,
        "active": "on",
        "deployments-TOTAL_FORMS": 0,
        "deployments-INITIAL_FORMS": 0,
    }
    assert client.post("/admin/gateway/model/add/", values).status_code == 302
    assert "o200k_base, hidden reasoning" in client.get("/admin/gateway/model/").content.decode()
