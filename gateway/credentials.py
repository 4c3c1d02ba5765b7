"""Providers' secrets: sealed under the root key, bound to the provider they belong to."""

from django.conf import settings

from compliance import crypto
from gateway.models import Provider, ProviderCredential


def seal(credential: str, *, provider: Provider) -> bytes:
    return crypto.seal(credential.encode(), keys=settings.ROOT_KEYS, context=_context(provider))


def credential_of(provider: Provider) -> str:
    """The secret that `provider` is called with, or nothing.

    Raises:
        DecryptionFailed: the root key that it was sealed under is not at hand.
    """
    stored: ProviderCredential | None = getattr(provider, "credential", None)
    if stored is None:
        return ""
    return crypto.unseal(bytes(stored.sealed), keys=settings.ROOT_KEYS, context=_context(provider)).decode()


def _context(provider: Provider) -> str:
    return f"provider-credential/{provider.pk}"
