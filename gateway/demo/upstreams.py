"""Where the demo's requests go: the sandbox, and OpenAI when a key for it is at hand."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from billing.actions import prices
from billing.models import Price
from compliance.contracts import Actor
from gateway.actions import providers, routes
from gateway.models import Deployment, Model, Provider

SANDBOX = "sandbox"
SANDBOX_MODELS: dict[str, dict[str, int]] = {
    "sandbox-small": {"input_nano": 150_000_000, "cached_input_nano": 75_000_000, "output_nano": 600_000_000},
    "sandbox-large": {"input_nano": 2_500_000_000, "cached_input_nano": 1_250_000_000, "output_nano": 10_000_000_000},
}
"""Prices per million tokens."""

OPENAI = "openai"
OPENAI_MODELS = [
    "gpt-6.1-sol",
    "gpt-6.1-terra",
    "gpt-6-luna",
    "gpt-5.4",
    "gpt-5.4-mini",
    "gpt-5-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o",
    "gpt-4o-mini",
]


def seed_sandbox(*, port: int, by: Actor) -> None:
    provider = providers.add(
        provider=Provider(slug=SANDBOX, name="Sandbox", base_url=sandbox_url(port)),
        by=by,
    )
    for name, nano in SANDBOX_MODELS.items():
        prices.add(price=Price(provider=SANDBOX, model=name, valid_from=prices.SEEDED_FROM, **nano), by=by)
        _route(name, provider=provider, by=by)


def seed_openai(environment: Mapping[str, str], *, by: Actor) -> None:
    """Adds OpenAI with those of the models above whose price is known, when OPENAI_API_KEY is set."""
    credential = environment.get("OPENAI_API_KEY", "")
    if not credential:
        return
    provider = Provider(
        slug=OPENAI,
        name="OpenAI",
        base_url=environment.get("OPENAI_BASE_URL", "") or "https://api.openai.com/v1",
        output_limit_field=Provider.OutputLimitField.MAX_COMPLETION_TOKENS,
    )
    providers.add(provider=provider, credential=credential, by=by)
    for price in prices.seed(provider=OPENAI, models=OPENAI_MODELS, by=by):
        _route(price.model, provider=provider, by=by)


def sandbox_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


def sandbox_port() -> int | None:
    """The port of this machine that the sandbox is expected on; None where the demo has no sandbox here."""
    url = Provider.objects.filter(slug=SANDBOX, active=True).values_list("base_url", flat=True).first()
    parts = urlsplit(url or "")
    return parts.port if parts.hostname == "127.0.0.1" else None


def move_sandbox(*, port: int, by: Actor) -> None:
    """Points the sandbox's provider to another port."""
    provider = Provider.objects.get(slug=SANDBOX)
    provider.base_url = sandbox_url(port)
    providers.change(provider=provider, by=by)


def _route(name: str, *, provider: Provider, by: Actor) -> None:
    model = Model(name=name, owned_by=provider.slug, tokenizer=Model.Tokenizer.O200K)
    routes.add_model(model=model, by=by)
    routes.deploy(deployment=Deployment(model=model, provider=provider, upstream_model=name), by=by)
