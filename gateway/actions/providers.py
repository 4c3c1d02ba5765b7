"""What can be done with providers and their credentials."""

from django.db import transaction

from compliance import rows
from compliance.contracts import Actor
from gateway import credentials
from gateway.models import Provider, ProviderCredential


def add(*, provider: Provider, by: Actor, credential: str = "") -> Provider:
    """Adds a provider, with the secret that it is called with if it wants one."""
    with transaction.atomic():
        rows.create(provider, by=by)
        if credential:
            set_credential(provider=provider, credential=credential, by=by)
    return provider


def change(*, provider: Provider, by: Actor) -> Provider:
    """Changes a provider's address or timeouts."""
    return rows.change(provider, by=by)


@transaction.atomic
def remove(*, provider: Provider, by: Actor, reason: str = "") -> None:
    """Deletes a provider and its credential.

    Raises:
        ProtectedError: deployments lead to it.
    """
    for credential in ProviderCredential.objects.filter(provider=provider):
        rows.delete(credential, by=by, reason=reason)
    rows.delete(provider, by=by, reason=reason)


@transaction.atomic
def set_credential(*, provider: Provider, credential: str, by: Actor) -> ProviderCredential:
    """Stores the secret that `provider` is called with, encrypted, instead of the one before."""
    stored = ProviderCredential.objects.select_for_update().filter(provider=provider).first()
    row = stored or ProviderCredential(provider=provider)
    row.sealed = credentials.seal(credential, provider=provider)
    row.last_four = credential[-4:] if len(credential) >= 12 else ""
    return rows.change(row, by=by, verb="replaced") if stored else rows.create(row, by=by)
