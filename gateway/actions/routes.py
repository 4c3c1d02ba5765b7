"""What can be done with models and the deployments that serve them."""

from django.db import transaction

from compliance import rows
from compliance.contracts import Actor
from gateway.models import Deployment, Model


def add_model(*, model: Model, by: Actor) -> Model:
    """Adds a model; clients see it once it has an active deployment with a price."""
    return rows.create(model, by=by)


def change_model(*, model: Model, by: Actor) -> Model:
    """Changes a model."""
    return rows.change(model, by=by)


@transaction.atomic
def remove_model(*, model: Model, by: Actor, reason: str = "") -> None:
    """Deletes a model and its deployments; requests for it are refused from then on."""
    for deployment in model.deployments.all():
        withdraw(deployment=deployment, by=by, reason=reason)
    rows.delete(model, by=by, reason=reason)


def deploy(*, deployment: Deployment, by: Actor) -> Deployment:
    """Adds a deployment of a model at a provider."""
    return rows.create(deployment, by=by)


def change_deployment(*, deployment: Deployment, by: Actor) -> Deployment:
    """Changes where a deployment leads, its priority, or whether it is used."""
    return rows.change(deployment, by=by)


def withdraw(*, deployment: Deployment, by: Actor, reason: str = "") -> None:
    """Deletes a deployment. Requests on their way to it are finished."""
    rows.delete(deployment, by=by, reason=reason)
