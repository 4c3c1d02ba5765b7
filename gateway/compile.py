"""Turns rows into the frozen values that the data plane reads. Runs in a thread, through `bridge`."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import structlog
from django.conf import settings
from django.utils import timezone

from accounts import known_secrets, salts
from accounts.known_secrets import KnownSecret
from accounts.models import ApiKey, Application, Tenant
from billing import meters
from billing.models import AttributionTag, Price, Subscription
from billing.money import Rates
from compliance.errors import DecryptionFailed
from compliance.models import ContentPolicy, Purpose
from gateway import credentials
from gateway.guard_rows import guarding_for, warm_up
from gateway.guarded_content import for_storing
from gateway.guards.base import Guarding
from gateway.models import Deployment, PolicyRevision, Provider, ProviderCredential
from gateway.models.policy import GLOBAL_SCOPE
from gateway.principal import ContentTerms, Principal
from gateway.routing import ModelRoutes, Route, RouteTable

log = structlog.get_logger("gateway.compile")

T = TypeVar("T")
Revisions = dict[int, int]


@dataclass(frozen=True, slots=True)
class Compiled(Generic[T]):
    """A value, and the revisions (scope → count) that it was compiled at, or before: never after."""

    value: T
    revisions: Revisions


def principal(public_id: str) -> Compiled[Principal | None]:
    """What is known of the key that the secret with that public id belongs to; None when there is no such secret."""
    tenant_id = known_secrets.tenant_of(public_id)
    if tenant_id is None:
        return Compiled(None, {})
    revisions = revisions_of([tenant_id, GLOBAL_SCOPE])  # before the rows, so that no change can be missed
    secret = known_secrets.find(public_id)
    return Compiled(_principal(secret) if secret else None, revisions)


def known_ids(public_ids: frozenset[str]) -> frozenset[str]:
    """Those of the public ids that secrets have."""
    return known_secrets.known_ids(public_ids)


def route_table() -> Compiled[RouteTable]:
    """All active deployments that have a price in the default service tier, by model."""
    revisions = revisions_of([GLOBAL_SCOPE])
    now = timezone.now()
    prices: dict[tuple[str, str], dict[str, Rates]] = {}
    for price in Price.objects.in_force(at=now):
        prices.setdefault((price.provider, price.model), {})[price.service_tier] = _rates(price)
    models: dict[str, ModelRoutes] = {}
    current = _credentials()
    for deployment in _active_deployments():
        rates = prices.get((deployment.provider.slug, deployment.upstream_model), {})
        if "" in rates:
            _append(models, deployment, rates, current.get(deployment.provider_id))
    return Compiled(RouteTable(models, _next_price(after=now)), revisions)


def revisions_of(scopes: list[int]) -> Revisions:
    """The current revision of each scope; 0 where nothing has changed yet."""
    known = dict(PolicyRevision.objects.filter(scope__in=scopes).values_list("scope", "revision"))
    return {scope: known.get(scope, 0) for scope in scopes}


def _principal(secret: KnownSecret) -> Principal:
    key = secret.key
    tenant, application = key.tenant, key.application
    subscription = Subscription.objects.select_related("tier").filter(tenant=tenant).first()
    tier = subscription.tier if subscription else None
    charges = meters.of_key(key, tier=tier, at=timezone.now())
    policy = ContentPolicy.objects.filter(tenant=tenant).first()
    content = _terms(policy)
    return Principal(
        key_id=key.pk,
        public_id=secret.public_id,
        digest=secret.digest,
        pepper_version=secret.pepper_version,
        tenant_id=tenant.pk,
        tenant=tenant.slug,
        application_id=application.pk,
        environment=key.environment,
        active=(key.status, application.status, tenant.status)
        == (ApiKey.Status.ACTIVE, Application.Status.ACTIVE, Tenant.Status.ACTIVE),
        expires_at=secret.ends_at.timestamp() if secret.ends_at else float("inf"),
        scopes=frozenset(key.scopes),
        models=frozenset(key.allowed_models),
        networks=tuple(ipaddress.ip_network(network) for network in key.allowed_networks),
        has_tier=tier is not None,
        limits=meters.request_limits(tier) if tier else meters.NOTHING,
        charging=charges.charging,
        changes_at=charges.changes_at.timestamp() if charges.changes_at else float("inf"),
        tags=tuple(AttributionTag.objects.filter(tenant=tenant).values_list("key", flat=True)),
        pseudonym_salt=salts.unseal(tenant.pseudonym_salt),
        processing_purpose=policy.processing_purpose if policy else "",
        content=content,
        guarding=_guarding(key, content),
    )


def _terms(policy: ContentPolicy | None) -> ContentTerms | None:
    if policy is None or not policy.store:
        return None
    redacted = policy.redaction == ContentPolicy.Redaction.REQUIRED
    return ContentTerms(purpose=Purpose.STORE_CONVERSATIONS, redacted=redacted, most_bytes=settings.MAX_CONTENT_BYTES)


def _guarding(key: ApiKey, content: ContentTerms | None) -> Guarding:
    guarding = guarding_for(key)
    if content is not None and content.redacted:
        warm_up(for_storing(guarding))
    return guarding


def _active_deployments() -> list[Deployment]:
    active = Deployment.objects.filter(active=True, provider__active=True, model__active=True)
    return list(active.select_related("model", "provider").order_by("model__name", "priority", "id"))


def _credentials() -> dict[int, ProviderCredential]:
    """The version in use of each provider's credential."""
    current = ProviderCredential.objects.filter(state=ProviderCredential.State.CURRENT)
    return {row.provider_id: row for row in current}


def _append(
    models: dict[str, ModelRoutes],
    deployment: Deployment,
    rates: dict[str, Rates],
    current: ProviderCredential | None,
) -> None:
    try:
        route = _route(deployment, rates, credential=_opened(current, deployment.provider))
    except DecryptionFailed:
        log.error("credential cannot be read", deployment=str(deployment))
        return
    model = deployment.model
    before = models[model.name].routes if model.name in models else ()
    models[model.name] = ModelRoutes(
        name=model.name,
        owned_by=model.owned_by,
        created=int(model.created_at.timestamp()),
        tokenizer=model.tokenizer,
        hidden_reasoning=model.hidden_reasoning,
        image_tokens_most=model.image_tokens_most,
        context_tokens=model.context_tokens,
        routes=(*before, route),
    )


def _opened(current: ProviderCredential | None, provider: Provider) -> str:
    """Nothing for another address: the provider's may have changed since its credential was read."""
    if current is None or not credentials.is_meant_for(current, provider):
        return ""
    return credentials.opened(current)


def _route(deployment: Deployment, rates: dict[str, Rates], *, credential: str) -> Route:
    provider = deployment.provider
    return Route(
        provider=provider.slug,
        base_url=provider.base_url.rstrip("/"),
        upstream_model=deployment.upstream_model,
        credential=credential,
        output_limit_field=provider.output_limit_field,
        connect_timeout_s=provider.connect_timeout_ms / 1000,
        read_timeout_s=provider.read_timeout_ms / 1000,
        total_timeout_s=provider.total_timeout_ms / 1000,
        rates=rates[""],
        tier_rates={tier: price for tier, price in rates.items() if tier},
    )


def _rates(price: Price) -> Rates:
    return Rates(
        input_nano=price.input_nano,
        output_nano=price.output_nano,
        cached_input_nano=price.cached_input_nano,
        cache_write_nano=price.cache_write_nano,
        request_nano=price.request_nano,
        reasoning_nano=price.reasoning_nano,
        search_nano=price.search_nano,
    )


def _next_price(*, after: datetime) -> float:
    coming = Price.objects.filter(valid_from__gt=after).order_by("valid_from").values_list("valid_from", flat=True)
    first = coming.first()
    return first.timestamp() if first else float("inf")
