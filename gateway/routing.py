"""Where requests can go: all models with their deployments and prices, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from billing.money import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One deployment: a model at a provider, how to call it, and what it costs."""

    provider: str
    base_url: str
    upstream_model: str
    credential: str = field(repr=False)
    output_limit_field: str
    connect_timeout_s: float
    read_timeout_s: float
    total_timeout_s: float
    rates: Rates
    tier_rates: Mapping[str, Rates] = field(default_factory=dict)
    """Of service tiers other than the default, those that have a price."""

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.upstream_model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRoutes:
    """A model that clients may name. Its routes are in the order in which they are tried; there is at least one.

    `context_tokens`: the most that it takes as input; None where nobody has said so.
    """

    name: str
    owned_by: str
    created: int
    tokenizer: str
    hidden_reasoning: bool
    image_tokens_most: int
    context_tokens: int | None
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Every model that can be served. `expires_at` (epoch seconds): when a price that is known already comes into
    force."""

    models: Mapping[str, ModelRoutes]
    expires_at: float = float("inf")


def serving(table: RouteTable, model: str, *, provider: str = "") -> Route | None:
    """The first route of a model, at that provider if one is named; None where there is none."""
    known = table.models.get(model)
    return next((route for route in known.routes if provider in ("", route.provider)), None) if known else None
