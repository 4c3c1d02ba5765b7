"""Reads that more than one door needs."""

from collections.abc import Collection
from dataclasses import dataclass

from django.utils import timezone

from accounts.models import ApiKey
from billing.models import Price
from compliance.models import Subject
from gateway.models import Deployment, GuardDecision, Model, ReviewItem


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a key and a person stand now. `key`: its status, empty where it is gone. Nobody, or somebody who is not known
    any more, is neither blocked nor not."""

    key: str
    is_person_blocked: bool | None


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


def is_served(model: str, *, provider: str = "") -> bool:
    """Whether gateways know where to send requests for a model; `provider`: the slug of the one that must serve it."""
    active = Deployment.objects.filter(model__name=model, model__active=True, active=True, provider__active=True)
    fitting = active.filter(provider__slug=provider) if provider else active
    return bool(priced(fitting.select_related("provider")))


def person_of(item: ReviewItem) -> Subject | None:
    """Whom the request named, as long as that is known."""
    return people_of([item]).get(item.pk)


def people_of(items: Collection[ReviewItem]) -> dict[int, Subject]:
    """Whom the requests of some reviews named, by the review, as far as that is known."""
    requests = [item.request_id for item in items]
    named = GuardDecision.objects.filter(request_id__in=requests).exclude(surrogate="")
    surrogates = dict(named.values_list("request_id", "surrogate"))
    people = Subject.objects.filter(surrogate__in=set(surrogates.values()), lookup__isnull=False)
    known = {(person.tenant_id, person.surrogate): person for person in people}
    found = {item.pk: known.get((item.tenant_id, surrogates.get(item.request_id, ""))) for item in items}
    return {pk: person for pk, person in found.items() if person is not None}


def blocks_of(items: Collection[ReviewItem]) -> dict[int, Blocks]:
    """By the review, who is blocked now of those whom it was about, whoever has blocked them."""
    keys = dict(ApiKey.objects.filter(pk__in={item.api_key_id for item in items}).values_list("pk", "status"))
    people = people_of(items)
    return {
        item.pk: Blocks(
            key=keys.get(item.api_key_id, ""),
            is_person_blocked=people[item.pk].blocked_at is not None if item.pk in people else None,
        )
        for item in items
    }
