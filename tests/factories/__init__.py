"""Rows for tests, as plain functions. Everything goes through the actions, as in the product."""

import itertools
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.actions import applications, keys, tenants
from accounts.models import ApiKey, Application, Tenant
from billing.actions import budgets, prices, tags, tiers
from billing.models import AttributionTag, Budget, BudgetOverride, Price, Subscription, Tier
from billing.money import from_dollars
from compliance.contracts import Actor
from gateway.actions import providers, routes
from gateway.models import Deployment, Model, Provider

THE_SYSTEM = Actor(kind="system", id="tests")
_number = itertools.count(1)


def a_tier(**fields: Any) -> Tier:
    """A tier generous enough never to be in the way, unless `fields` say otherwise."""
    n = next(_number)
    generous = {
        "slug": f"tier-{n}",
        "name": f"Tier {n}",
        "requests_per_minute": 100_000,
        "requests_per_hour": 1_000_000,
        "requests_per_day": 10_000_000,
        "tokens_per_minute": 1_000_000_000,
        "concurrency": 10_000,
        "output_tokens_cap": min(4096, fields.get("tokens_per_minute", 4097) - 1),
    }
    return tiers.add(tier=Tier(**{**generous, **fields}), by=THE_SYSTEM)


def a_tenant(slug: str = "acme", *, tier: Tier | None = None, **fields: Any) -> Tenant:
    """A tenant with a subscription. Slugs are made unique, so two tests may both have their *acme*."""
    slug = f"{slug}-{next(_number)}"
    tenant = tenants.open(tenant=Tenant(slug=slug, name=slug.title(), **fields), by=THE_SYSTEM)
    tiers.subscribe(subscription=Subscription(tenant=tenant, tier=tier or a_tier()), by=THE_SYSTEM)
    return tenant


def an_application(tenant: Tenant | None = None, **fields: Any) -> Application:
    n = next(_number)
    application = Application(tenant=tenant or a_tenant(), slug=f"app-{n}", name=f"App {n}", **fields)
    return applications.add(application=application, by=THE_SYSTEM)


def a_key(
    application: Application | None = None, *, tenant: Tenant | None = None, environment: str = "dev", **fields: Any
) -> tuple[ApiKey, str]:
    """A key and its secret text."""
    application = application or an_application(tenant)
    return keys.issue(application=application, name="test", environment=environment, by=THE_SYSTEM, **fields)


def a_budget(tenant: Tenant, *, dollars: str = "1", **fields: Any) -> Budget:
    values = {"name": f"Budget {next(_number)}", "limit_nano": from_dollars(Decimal(dollars)), **fields}
    return budgets.add(budget=Budget(tenant=tenant, **values), by=THE_SYSTEM)


def a_tag(tenant: Tenant, key: str = "feature") -> AttributionTag:
    return tags.declare(tag=AttributionTag(tenant=tenant, key=key), by=THE_SYSTEM)


def an_override(
    budget: Budget, *, dollars: str, ends_in: timedelta = timedelta(days=1), **fields: Any
) -> BudgetOverride:
    values = {"limit_nano": from_dollars(Decimal(dollars)), "reason": "a launch", **fields}
    row = BudgetOverride(budget=budget, ends_at=timezone.now() + ends_in, **values)
    return budgets.override(override=row, by=THE_SYSTEM)


def a_provider(base_url: str, *, credential: str = "", **fields: Any) -> Provider:
    n = next(_number)
    provider = Provider(slug=f"provider-{n}", name=f"Provider {n}", base_url=base_url, **fields)
    return providers.add(provider=provider, credential=credential, by=THE_SYSTEM)


def a_model(
    provider: Provider,
    *,
    name: str | None = None,
    upstream_model: str = "sandbox-small",
    price: dict[str, int] | None = None,
    tokenizer: str = "o200k_base",
    **fields: Any,
) -> Model:
    """A model with one deployment at `provider` and a price (nano-dollars per million tokens)."""
    name = name or f"model-{next(_number)}"
    model = routes.add_model(model=Model(name=name, tokenizer=tokenizer, **fields), by=THE_SYSTEM)
    routes.deploy(deployment=Deployment(model=model, provider=provider, upstream_model=upstream_model), by=THE_SYSTEM)
    if not Price.objects.filter(provider=provider.slug, model=upstream_model).exists():
        nano = price or {"input_nano": 150_000_000, "cached_input_nano": 75_000_000, "output_nano": 600_000_000}
        prices.add(price=Price(provider=provider.slug, model=upstream_model, **nano), by=THE_SYSTEM)
    return model
