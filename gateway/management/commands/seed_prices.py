"""Gives a provider's models their list prices. Here and not in billing, which does not know of deployments."""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import ProgrammingError

from billing.actions import prices
from billing.models import Price
from compliance.contracts import Actor
from gateway.models import Deployment, Provider

ACTOR = Actor(kind="command", id="seed_prices")


class Command(BaseCommand):
    help = "Adds list prices for models without a price, and new ones where a list price has changed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", metavar="PROVIDER_SLUG")
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            help="its name at the provider; may be repeated; default: what the provider's deployments lead to",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.seed(_provider(options["provider"]), options["model"])
        except ProgrammingError as error:
            raise CommandError("The database has no tables yet; run `manage.py migrate` first.") from error

    def seed(self, provider: Provider, named: list[str]) -> None:
        models = list(dict.fromkeys(named)) or _upstream_models(provider)
        if not models:
            raise CommandError(f"No deployment leads to {provider.slug}; add one, or name models with --model.")
        added = prices.seed(provider=provider.slug, models=models, by=ACTOR)
        self.tell("Added the list price of", added)
        changed = prices.follow_list(provider=provider.slug, models=models, by=ACTOR)
        self.tell("From now on there is a new list price of", changed)
        self.tell("No price, and none listed, for", _unpriced(provider, models))
        if not added and not changed:
            self.stdout.write("Nothing added.")

    def tell(self, what: str, about: Iterable[Price | str]) -> None:
        for each in about:
            self.stdout.write(f"{what} {each}.")


def _provider(slug: str) -> Provider:
    try:
        return Provider.objects.get(slug=slug)
    except Provider.DoesNotExist as error:
        known = ", ".join(Provider.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no provider {slug!r}. Known: {known}.") from error


def _upstream_models(provider: Provider) -> list[str]:
    names = Deployment.objects.filter(provider=provider).order_by("upstream_model")
    return list(names.values_list("upstream_model", flat=True).distinct())


def _unpriced(provider: Provider, models: list[str]) -> list[str]:
    priced = set(Price.objects.filter(provider=provider.slug, model__in=models).values_list("model", flat=True))
    return [f"{provider.slug}/{model}" for model in models if model not in priced]
