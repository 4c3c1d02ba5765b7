"""Reads that more than one door needs."""

from collections.abc import Collection

from django.utils import timezone

from billing.models import Price
from gateway.models import Deployment, Model


def model_names() -> list[str]:
    """The names that clients may ask for, of active models."""
    return list(Model.objects.filter(active=True).order_by("name").values_list("name", flat=True))


def priced(deployments: Collection[Deployment]) -> set[int]:
    """Those of the deployments (by primary key; their providers at hand) that a price is in force for.

    A price of another service tier than the default is for requests alone that ask for that one.
    """
    pairs = {deployment.pk: (deployment.provider.slug, deployment.upstream_model) for deployment in deployments}
    models = {model for _, model in pairs.values()}
    known = Price.objects.filter(model__in=models, service_tier="", valid_from__lte=timezone.now())
    in_force = set(known.values_list("provider", "model"))
    return {pk for pk, pair in pairs.items() if pair in in_force}
