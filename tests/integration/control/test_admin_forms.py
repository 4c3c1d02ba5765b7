"""What the admin's forms keep people from doing by oversight: free tokens, dead routes, tenants without a tier."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client

from accounts.actions import tenants
from accounts.admin.tenants import OpenTenantForm
from accounts.models import ApiKey, Tenant, User
from billing.actions import prices
from billing.models import Price
from tests.factories import THE_SYSTEM, a_budget, a_key, a_model, a_provider, a_tenant, a_tier, an_application
from tests.factories.control import an_admin, events_of

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PRICE = {"model": "large", "valid_from_0": "2026-01-01", "valid_from_1": "00:00:00", "request_nano": "0"}
ADD_PRICE = "/admin/billing/price/add/"


@pytest.fixture(autouse=True)
def person(client: Client) -> User:
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
        "reasoning_nano": None,
        "request_nano": "0",
        "search_nano": None,
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
        "source_kind": "typed",
    }
    assert client.post(f"/admin/gateway/provider/{provider.pk}/change/", values).status_code == 302
    provider.refresh_from_db()
    assert (provider.name, provider.slug) == ("Renamed", before)


def test_the_form_says_which_field_limits_output(client: Client) -> None:
    help_text = the_form(client, "/admin/gateway/provider/add/").fields["output_limit_field"].help_text
    assert "OpenAI's current models want max_completion_tokens; most others max_tokens." in help_text


# --- tenants ------------------------------------------------------------------------------------------------------

ADD_TENANT = "/admin/accounts/tenant/add/"
ACME = {"name": "Acme", "slug": "acme", "time_zone": "UTC"}
NO_TIER = "has no tier; its requests are refused until it has one."


def actions_of(user: User) -> list[str]:
    events = events_of(user)
    return list(events.values_list("action", flat=True))


def test_a_tenant_is_opened_with_its_tier(client: Client, person: User) -> None:
    tier = a_tier()
    response = client.post(ADD_TENANT, {**ACME, "tier": tier.pk}, follow=True)
    assert Tenant.objects.get(slug="acme").subscription.tier == tier
    assert actions_of(person) == ["tenant.created", "subscription.created"]
    assert NO_TIER not in response.content.decode()


def test_a_tenant_without_a_tier_is_opened_with_a_warning(client: Client, person: User) -> None:
    response = client.post(ADD_TENANT, ACME, follow=True)
    tenant = Tenant.objects.get(slug="acme")
    assert actions_of(person) == ["tenant.created"]
    assert NO_TIER in response.content.decode()
    assert f'<a href="/admin/billing/subscription/add/?tenant={tenant.pk}"' in response.content.decode()


def test_a_tier_that_is_refused_opens_no_tenant(client: Client, person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that somebody deleted between the form's validation and its action."""
    monkeypatch.setattr(OpenTenantForm, "tiers", staticmethod(lambda: [(10**9, "Gone")]))
    response = client.post(ADD_TENANT, {**ACME, "tier": 10**9})
    assert response.status_code == 200
    assert not Tenant.objects.filter(slug="acme").exists()
    assert actions_of(person) == []


def test_a_tier_is_given_by_those_alone_who_may_subscribe(client: Client) -> None:
    tier, staff = a_tier(), an_admin(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["add_tenant", "view_tenant"]))
    client.force_login(staff)
    assert "tier" not in the_form(client, ADD_TENANT).fields
    client.post(ADD_TENANT, {**ACME, "tier": tier.pk})
    assert actions_of(staff) == ["tenant.created"]


def test_a_key_that_no_tier_stands_behind_is_issued_with_a_warning(client: Client) -> None:
    cache.clear()  # of the limit of issued keys
    bare = tenants.open(tenant=Tenant(slug="umbrella", name="<b>Umbrella"), by=THE_SYSTEM)
    for application, warned in ((an_application(), False), (an_application(bare), True)):
        nonce = the_form(client, "/admin/accounts/apikey/add/").fields["nonce"].initial
        values = {"application": application.pk, "name": "x", "environment": "dev", "scopes": ["chat"], "nonce": nonce}
        text = client.post("/admin/accounts/apikey/add/", values).content.decode()
        assert "Copy the key now" in text
        assert (NO_TIER in text) is warned
        assert "<b>Umbrella" not in text


# --- budgets ------------------------------------------------------------------------------------------------------


def test_a_budget_says_what_it_does_not_count(client: Client) -> None:
    budget = a_budget(a_tenant())
    for page, words in (("add", "Counts from now on"), (f"{budget.pk}/change", "before a budget was added")):
        assert words in client.get(f"/admin/billing/budget/{page}/").content.decode()


def label_of(key: ApiKey) -> str:
    return f"{key.name} (…{key.last_four}), {key.tenant.slug}/{key.application.slug}"


def test_keys_are_offered_with_what_tells_them_apart(
    client: Client, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    keys = [a_key()[0] for _ in range(9)]
    asked = {"app_label": "billing", "model_name": "budget", "field_name": "api_key"}
    with django_assert_max_num_queries(8):
        answer = client.get("/admin/autocomplete/", asked).json()
    assert {each["text"] for each in answer["results"]} == {label_of(key) for key in keys}


def test_a_chosen_key_is_named_like_those_offered(client: Client) -> None:
    key, _ = a_key()
    budget = a_budget(key.tenant, api_key=key)
    assert label_of(key) in client.get(f"/admin/billing/budget/{budget.pk}/change/").content.decode()


@pytest.mark.parametrize("table", ["billing/budget", "billing/usagerecord"])
def test_lists_are_filtered_by_keys_that_one_can_tell_apart(table: str, client: Client) -> None:
    keys = [a_key()[0] for _ in range(2)]
    text = client.get(f"/admin/{table}/").content.decode()
    assert all(f">{label_of(key)}<" in "".join(text.split("\n")).replace("  ", "") for key in keys)


def test_an_application_is_offered_with_its_tenant(client: Client) -> None:
    application = an_application()
    asked = {"app_label": "billing", "model_name": "budget", "field_name": "application"}
    (only,) = client.get("/admin/autocomplete/", asked).json()["results"]
    assert only == {"id": str(application.pk), "text": f"{application.tenant.slug}/{application.slug}"}


# --- tiers --------------------------------------------------------------------------------------------------------

TIER = {
    "name": "Gold",
    "slug": "gold",
    "requests_per_minute": 60,
    "requests_per_hour": 600,
    "requests_per_day": 6000,
    "tokens_per_minute": 100_000,
    "concurrency": 5,
    "output_tokens_cap": 1024,
    "max_messages": 100,
    "max_message_chars": 50_000,
    "max_prompt_chars": 100_000,
    "separate_meters_most": 10_000,
    "limits-TOTAL_FORMS": 0,
    "limits-INITIAL_FORMS": 0,
}


@pytest.mark.parametrize(
    ("limits", "field", "words"),
    [
        pytest.param({"output_tokens_cap": 100_000}, "output_tokens_cap", "less than the 100,000 tokens", id="cap"),
        pytest.param({"requests_per_minute": 601}, "requests_per_minute", "at most the 600 an hour", id="minute"),
        pytest.param({"requests_per_hour": 6001}, "requests_per_hour", "at most the 6,000 a day", id="hour"),
        pytest.param({"requests_per_hour": ""}, "requests_per_hour", "required", id="left empty"),
    ],
)
def test_limits_that_others_make_pointless_are_refused(
    limits: dict[str, Any], field: str, words: str, client: Client
) -> None:
    errors = errors_of(client, "/admin/billing/tier/add/", {**TIER, **limits})
    assert list(errors) == [field]
    assert words in str(errors[field])


def test_limits_may_be_alike(client: Client) -> None:
    values = {**TIER, "requests_per_minute": 6000, "requests_per_hour": 6000, "output_tokens_cap": 99_999}
    assert client.post("/admin/billing/tier/add/", values).status_code == 302
