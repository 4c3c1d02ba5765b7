"""Models, deployments and providers: nothing goes without its event."""

import pytest

from compliance.models import AuditEvent
from gateway.actions import providers, routes
from gateway.models import Deployment, ProviderCredential
from tests.factories import THE_SYSTEM, a_model, a_provider

pytestmark = pytest.mark.django_db


def deleted(kind: str) -> int:
    return AuditEvent.objects.filter(action=f"{kind}.deleted").count()


def test_what_goes_with_a_model_is_audited_too() -> None:
    model = a_model(a_provider("http://127.0.0.1:1/v1"))
    routes.remove_model(model=model, by=THE_SYSTEM)
    assert (deleted("model"), deleted("deployment")) == (1, 1)
    assert not Deployment.objects.exists()


def test_what_goes_with_a_provider_is_audited_too() -> None:
    provider = a_provider("http://127.0.0.1:1/v1", credential="x" * 20)
    providers.remove(provider=provider, by=THE_SYSTEM)
    assert (deleted("provider"), deleted("providercredential")) == (1, 1)
    assert not ProviderCredential.objects.exists()
