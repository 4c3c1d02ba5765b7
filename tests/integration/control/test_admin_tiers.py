"""Limits of a tier beyond those that every tier has, written inside its page and shown in words."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.actions import tiers
from billing.models import Tier, TierLimit
from tests.factories import THE_SYSTEM, a_tier
from tests.factories.control import an_admin, events_of

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

FIELDS = (
    *("name", "slug", "requests_per_minute", "requests_per_hour", "requests_per_day", "tokens_per_minute"),
    *("concurrency", "output_tokens_cap", "separate_meters_most", "max_messages", "max_message_chars"),
    "max_prompt_chars",
)


@pytest.fixture(autouse=True)
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


def a_limit(tier: Tier, **fields: Any) -> TierLimit:
    values = {"scope": "key", "measure": "requests", "per": "minute", "limit": 10, **fields}
    return tiers.add_limit(limit=TierLimit(tier=tier, **values), by=THE_SYSTEM)


def submit(client: Client, tier: Tier, *limits: dict[str, Any], **changed: Any) -> Any:
    """The tier's page with these limits on it; those with an `id` are there already."""
    values: dict[str, Any] = {name: getattr(tier, name) for name in FIELDS} | changed
    values["limits-TOTAL_FORMS"] = len(limits)
    values["limits-INITIAL_FORMS"] = sum("id" in limit for limit in limits)
    for n, limit in enumerate(limits):
        values |= {f"limits-{n}-{name}": value for name, value in {"tier": tier.pk, **limit}.items()}
    return client.post(f"/admin/billing/tier/{tier.pk}/change/", values)


def refused(response: Any) -> dict[str, list[str]]:
    """What is wrong with the only limit of a page that must be refused."""
    assert response.status_code == 200
    (form,) = response.context["inline_admin_formsets"][0].formset.forms
    return {name: list(errors) for name, errors in form.errors.items()}


def test_limits_are_added_changed_and_removed_with_events(client: Client, person: User) -> None:
    tier = a_tier()
    limit = {"scope": "end_user", "measure": "output_tokens", "per": "day", "limit": 1000}
    assert submit(client, tier, limit).status_code == 302
    row = tier.limits.get()
    assert submit(client, tier, {**limit, "id": row.pk, "limit": 2000}).status_code == 302
    row.refresh_from_db()
    assert (row.limit, str(row)) == (2000, "2,000 output tokens per day")
    assert submit(client, tier, {**limit, "id": row.pk, "DELETE": "on"}).status_code == 302
    assert not tier.limits.exists()
    events = events_of(person)
    verbs = ["tierlimit.created", "tierlimit.changed", "tierlimit.deleted"]
    assert list(events.values_list("action", flat=True)) == verbs


def test_a_tier_is_added_with_its_limits(client: Client) -> None:
    values = {name: getattr(a_tier(), name) for name in FIELDS} | {"slug": "gold", "name": "Gold"}
    limits = {
        "limits-TOTAL_FORMS": 1,
        "limits-INITIAL_FORMS": 0,
        "limits-0-scope": "application",
        "limits-0-measure": "concurrency",
        "limits-0-per": "",
        "limits-0-limit": 3,
    }
    assert client.post("/admin/billing/tier/add/", {**values, **limits}).status_code == 302
    assert [str(limit) for limit in Tier.objects.get(slug="gold").limits.all()] == ["3 requests at once"]


@pytest.mark.parametrize(
    ("limit", "field", "words"),
    [
        pytest.param({"per": ""}, "per", "Choose the window", id="a rate without a window"),
        pytest.param({"measure": "concurrency"}, "per", "no window", id="at once in a window"),
        pytest.param({"limit": 0}, "limit", "greater than or equal to 1", id="nothing at all"),
        pytest.param({"scope": "tenant"}, "measure", "every tier has", id="what every tier has"),
        pytest.param({"scope": "moon"}, "scope", "valid choice", id="no such scope"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(limit: dict[str, Any], field: str, words: str, client: Client) -> None:
    good = {"scope": "key", "measure": "requests", "per": "minute", "limit": 10}
    errors = refused(submit(client, a_tier(), {**good, **limit}))
    assert list(errors) == [field]
    assert words in errors[field][0]


def test_a_tier_has_each_limit_once(client: Client) -> None:
    tier = a_tier()
    row = a_limit(tier)
    same = {"scope": "key", "measure": "requests", "per": "minute"}
    response = submit(client, tier, {**same, "limit": 10, "id": row.pk}, {**same, "limit": 20})
    assert response.status_code == 200
    assert tier.limits.get().limit == 10


def test_the_list_shows_limits_in_words(client: Client) -> None:
    tier = a_tier()
    a_limit(tier)
    a_limit(tier, scope="end_user", measure="concurrency", per="", limit=2)
    a_limit(tier, scope="tenant", measure="input_tokens", per="day", limit=1_000_000)
    shown = client.get("/admin/billing/tier/").content.decode()
    assert "Each end user: 2 requests at once<br>Each key: 10 requests per minute<br>" in shown
    assert "The tenant as a whole: 1,000,000 input tokens per day" in shown


@pytest.mark.parametrize(
    ("measure", "limit", "warned"),
    [
        pytest.param("output_tokens", 999, True, id="less output than one request may have"),
        pytest.param("output_tokens", 1000, False, id="the output of one request"),
        pytest.param("tokens", 1000, True, id="no room for a prompt"),
        pytest.param("input_tokens", 10, False, id="input"),
        pytest.param("requests", 1, False, id="requests"),
    ],
)
def test_a_limit_that_requests_exceed_by_themselves_is_warned_of(
    measure: str, limit: int, warned: bool, client: Client
) -> None:
    tier = a_tier(output_tokens_cap=1000)
    submit(client, tier, {"scope": "key", "measure": measure, "per": "minute", "limit": limit})
    assert tier.limits.count() == 1
    shown = client.get("/admin/billing/tier/").content.decode()
    assert ("counts with 1,000 tokens of it and is refused by" in shown) is warned


def test_a_tier_is_deleted_with_its_limits_each_with_an_event(client: Client, person: User) -> None:
    tier = a_tier()
    a_limit(tier)
    assert client.post(f"/admin/billing/tier/{tier.pk}/delete/", {"post": "yes"}).status_code == 302
    events = events_of(person)
    assert list(events.values_list("action", flat=True)) == ["tierlimit.deleted", "tier.deleted"]


def test_how_many_are_counted_apart_is_bounded_by_tier(client: Client) -> None:
    tier = a_tier()
    assert submit(client, tier, separate_meters_most=50).status_code == 302
    tier.refresh_from_db()
    assert tier.separate_meters_most == 50
