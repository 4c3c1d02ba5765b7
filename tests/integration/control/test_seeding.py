"""`manage.py seed_tiers` and `manage.py seed_prices`."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing import list_prices
from billing.actions import prices, tiers
from billing.models import Price, Tier
from compliance.models import AuditEvent
from gateway.actions import providers, routes
from gateway.models import Deployment, Model, Provider
from tests.factories import THE_SYSTEM, a_tier

pytestmark = pytest.mark.django_db


@pytest.fixture
def openai() -> Provider:
    """A provider with two deployments and no prices."""
    provider = Provider(slug="openai", name="OpenAI", base_url="https://openai.example/v1")
    providers.add(provider=provider, by=THE_SYSTEM)
    for name in ("gpt-4o", "gpt-4o-mini"):
        model = routes.add_model(model=Model(name=f"our-{name}"), by=THE_SYSTEM)
        deployment = Deployment(model=model, provider=provider, upstream_model=name)
        routes.deploy(deployment=deployment, by=THE_SYSTEM)
    return provider


def run(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def in_force(model: str = "gpt-4o") -> Price:
    return Price.objects.in_force(at=timezone.now()).get(provider="openai", model=model)


# --- tiers --------------------------------------------------------------------------------------------------------


def test_tiers_are_added_and_named_in_the_audit_log() -> None:
    assert run("seed_tiers").splitlines() == [f"Added the tier {slug}." for slug in ("free", "premium", "enterprise")]
    events = AuditEvent.objects.filter(action="tier.created")
    assert set(events.values_list("actor_kind", "actor_id")) == {("command", "seed_tiers")}


def test_a_tier_that_is_there_stays_as_it_is() -> None:
    a_tier(slug="free", requests_per_minute=7)
    assert "tier free" not in run("seed_tiers")
    assert Tier.objects.get(slug="free").requests_per_minute == 7
    assert "nothing added" in run("seed_tiers")


# --- prices -------------------------------------------------------------------------------------------------------


def test_what_deployments_lead_to_gets_its_list_price(openai: Provider) -> None:
    said = run("seed_prices", "openai")
    assert said.splitlines() == [
        "Added the list price of openai/gpt-4o.",
        "Added the list price of openai/gpt-4o-mini.",
    ]
    assert set(Price.objects.values_list("provider", "model", "source")) == {
        ("openai", "gpt-4o", "genai-prices"),
        ("openai", "gpt-4o-mini", "genai-prices"),
    }
    events = AuditEvent.objects.filter(action="price.created")
    assert set(events.values_list("actor_kind", "actor_id")) == {("command", "seed_prices")}


def test_a_second_time_adds_nothing(openai: Provider) -> None:
    run("seed_prices", "openai")
    assert run("seed_prices", "openai") == "Nothing added.\n"


def test_models_can_be_named(openai: Provider) -> None:
    run("seed_prices", "openai", "--model", "o3")
    assert list(Price.objects.values_list("model", flat=True)) == ["o3"]


def test_a_changed_list_price_holds_from_now_on(openai: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    run("seed_prices", "openai")
    before = in_force()
    dearer = {**(list_prices.list_price(provider="openai", model="gpt-4o") or {}), "output_nano": 77}
    began = timezone.now()
    monkeypatch.setattr(list_prices, "list_price", lambda *, provider, model: dearer if model == "gpt-4o" else None)
    assert "From now on there is a new list price of openai/gpt-4o." in run("seed_prices", "openai")
    after = in_force()
    assert (after.output_nano, after.source) == (77, "genai-prices")
    assert began <= after.valid_from <= timezone.now()
    assert Price.objects.get(pk=before.pk).output_nano == before.output_nano
    assert run("seed_prices", "openai") == "Nothing added.\n"


@pytest.mark.parametrize("listed_before", [True, False], ids=["over a list price", "alone"])
def test_what_somebody_has_set_stays(openai: Provider, listed_before: bool) -> None:
    if listed_before:
        run("seed_prices", "openai", "--model", "gpt-4o")
    own = Price(provider="openai", model="gpt-4o", output_nano=1, valid_from=timezone.now() - timedelta(days=1))
    prices.add(price=own, by=THE_SYSTEM)
    run("seed_prices", "openai")
    assert in_force() == own


def test_a_model_that_no_list_has_is_named(openai: Provider) -> None:
    said = run("seed_prices", "openai", "--model", "a-model-of-our-own")
    assert "No price, and none listed, for openai/a-model-of-our-own." in said
    assert not Price.objects.exists()


@pytest.mark.parametrize(
    ("slug", "message"),
    [
        pytest.param("opnai", r"no provider 'opnai'\. Known: openai, unused", id="unknown provider"),
        pytest.param("unused", "No deployment leads to unused", id="no deployments"),
    ],
)
def test_nonsense_is_refused_in_words(slug: str, message: str, openai: Provider) -> None:
    unused = Provider(slug="unused", name="Unused", base_url="https://unused.example/v1")
    providers.add(provider=unused, by=THE_SYSTEM)
    with pytest.raises(CommandError, match=message):
        run("seed_prices", slug)


def test_before_the_first_migration_they_say_what_to_do(monkeypatch: pytest.MonkeyPatch, openai: Provider) -> None:
    from django.db import ProgrammingError

    def no_table(**_: Any) -> None:
        raise ProgrammingError('relation "billing_price" does not exist')

    monkeypatch.setattr(tiers, "seed", no_table)
    monkeypatch.setattr(prices, "seed", no_table)
    for arguments in (["seed_tiers"], ["seed_prices", "openai"]):
        with pytest.raises(CommandError, match=r"manage\.py migrate"):
            run(*arguments)
