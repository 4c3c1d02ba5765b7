"""What can be done with providers and their credentials."""

from django.db import transaction

from compliance import rows
from compliance.contracts import Actor
from gateway.actions import credentials
from gateway.addresses import address_of
from gateway.models import CredentialSource, Provider, ProviderCredential


def add(*, provider: Provider, by: Actor, credential: str = "") -> Provider:
    """Adds a provider, with the secret that it is called with if it wants one."""
    with transaction.atomic():
        rows.create(provider, by=by)
        if credential:
            set_credential(provider=provider, credential=credential, by=by)
    return provider


@transaction.atomic
def change(*, provider: Provider, by: Actor) -> Provider:
    """Changes a provider's address or timeouts. Another host, port or scheme gets nothing that was meant for the one
    before: the credential is retired, and where it came from is forgotten.
    """
    before = address_of(Provider.objects.select_for_update().get(pk=provider.pk).base_url)
    provider = rows.change(provider, by=by)
    if address_of(provider.base_url) != before:
        credentials.withdraw(provider=provider, by=by, reason=f"The provider was at {before} before.")
    return provider


@transaction.atomic
def remove(*, provider: Provider, by: Actor, reason: str = "") -> None:
    """Deletes a provider, all versions of its credential, and where they came from.

    Raises:
        ProtectedError: deployments lead to it.
    """
    for row in (*provider.credentials.all(), *CredentialSource.objects.filter(provider=provider)):
        rows.delete(row, by=by, reason=reason)
    rows.delete(provider, by=by, reason=reason)


def set_credential(*, provider: Provider, credential: str, by: Actor) -> ProviderCredential:
    """Stores the secret that `provider` is called with, and uses it at once. `credentials.replace` tests it first."""
    return credentials.use_untested(provider=provider, credential=credential, by=by)
