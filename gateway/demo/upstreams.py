"""Where the demo's requests go: the sandbox, and OpenAI when a key for it is at hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from billing import list_prices
from billing.actions import prices
from billing.models import Price
from compliance.contracts import Actor
from gateway.actions import providers, routes
from gateway.demo import catalogue
from gateway.models import Deployment, Model, Provider

SANDBOX = "sandbox"
SANDBOX_CONTEXT_TOKENS = 128_000
SANDBOX_MODELS: dict[str, dict[str, int]] = {
    "sandbox-small": {"input_nano": 150_000_000, "cached_input_nano": 75_000_000, "output_nano": 600_000_000},
    "sandbox-large": {"input_nano": 2_500_000_000, "cached_input_nano": 1_250_000_000, "output_nano": 10_000_000_000},
}
"""Prices per million tokens."""

OPENAI = "openai"
OPENAI_URL = "https://api.openai.com/v1"
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
"""What is added when the upstream does not say which models it has."""

MODELS_MOST = 50

REASONING = ("o1", "o3", "o4", "gpt-5", "gpt-6")
"""What the names of OpenAI's models that reason begin with."""

IMAGE_TOKENS_MOST = {"gpt-4o-mini": 48_200}
"""2,833 tokens and 5,667 for each of at most eight tiles (OpenAI, "Images and vision", calculating costs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """OpenAI, or what stands in for it, with the models to add."""

    base_url: str
    credential: str
    models: list[str]
    remark: str = ""


def seed_sandbox(*, port: int, by: Actor) -> None:
    provider = providers.add(
        provider=Provider(slug=SANDBOX, name="Sandbox", base_url=sandbox_url(port)),
        by=by,
    )
    for name, nano in SANDBOX_MODELS.items():
        prices.add(price=Price(provider=SANDBOX, model=name, valid_from=prices.SEEDED_FROM, **nano), by=by)
        _route(name, provider=provider, context_tokens=SANDBOX_CONTEXT_TOKENS, by=by)


def find_openai(environment: Mapping[str, str]) -> Upstream | None:
    """What OPENAI_API_KEY and OPENAI_BASE_URL name, which is asked for its models; None when neither is set."""
    credential, url = environment.get("OPENAI_API_KEY", ""), environment.get("OPENAI_BASE_URL", "")
    if not credential and not url:
        return None
    base_url = (url or OPENAI_URL).rstrip("/")
    try:
        listed = catalogue.models(base_url=base_url, credential=credential)
    except catalogue.CannotBeAsked as error:
        remark = f"{base_url}/models could not be asked ({error}): added the usual models of OpenAI."
        return Upstream(base_url=base_url, credential=credential, models=OPENAI_MODELS, remark=remark)
    models = _usable(listed)
    remark = "" if models else f"{base_url}/models lists no model with a list price: add some in the admin."
    return Upstream(base_url=base_url, credential=credential, models=models, remark=remark)


def _usable(listed: list[str]) -> list[str]:
    """The first of those that clients can ask for by name, and that have a list price for what they answer."""
    names = (name for name in dict.fromkeys(listed) if name not in SANDBOX_MODELS and _is_name(name))
    return list(islice((name for name in names if _answers(name)), MODELS_MOST))


def _is_name(name: str) -> bool:
    try:
        Model._meta.get_field("name").run_validators(name)
    except ValidationError:
        return False
    return True


def _answers(model: str) -> bool:
    """Embeddings, for one, have no price for output: they do not chat."""
    nano = list_prices.list_price(provider=OPENAI, model=model)
    return nano is not None and bool(nano["output_nano"])


def seed_openai(found: Upstream, *, by: Actor) -> None:
    """Adds the upstream with those of its models whose list price is known."""
    provider = Provider(
        slug=OPENAI,
        name="OpenAI",
        base_url=found.base_url,
        output_limit_field=Provider.OutputLimitField.MAX_COMPLETION_TOKENS,
    )
    providers.add(provider=provider, credential=found.credential, by=by)
    for price in prices.seed(provider=OPENAI, models=found.models, by=by):
        context_tokens = list_prices.context_tokens(provider=OPENAI, model=price.model)
        _route(price.model, provider=provider, context_tokens=context_tokens, by=by)


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


def _route(name: str, *, provider: Provider, context_tokens: int | None, by: Actor) -> None:
    model = Model(
        name=name,
        owned_by=provider.slug,
        tokenizer=_tokenizer(name),
        hidden_reasoning=name.startswith(REASONING),
        image_tokens_most=IMAGE_TOKENS_MOST.get(name, Model._meta.get_field("image_tokens_most").default),
        context_tokens=context_tokens,
    )
    routes.add_model(model=model, by=by)
    routes.deploy(deployment=Deployment(model=model, provider=provider, upstream_model=name), by=by)


def _tokenizer(name: str) -> Model.Tokenizer:
    older = name.startswith(("gpt-3.5", "gpt-4")) and not name.startswith(("gpt-4o", "gpt-4.1", "gpt-4.5"))
    return Model.Tokenizer.CL100K if older else Model.Tokenizer.O200K
