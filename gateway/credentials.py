"""Providers' secrets: sealed under the root key, bound to the provider they belong to."""

import hmac

from compliance import sealed
from compliance.errors import DecryptionFailed
from gateway.addresses import address_of
from gateway.models import Provider, ProviderCredential

SHOWN_FROM = 12
"""Of shorter secrets not even the end is shown."""


def seal(credential: str, *, provider: Provider) -> bytes:
    return sealed.seal(credential.encode(), context=_place(provider.pk))


def last_four(credential: str) -> str:
    """What people recognise a secret by."""
    return credential[-4:] if len(credential) >= SHOWN_FROM else ""


def credential_of(provider: Provider) -> str:
    """The secret that `provider` is called with, or nothing.

    Raises:
        DecryptionFailed: the root key that it was sealed under is not at hand.
    """
    current = provider.credentials.filter(state=ProviderCredential.State.CURRENT).first()
    return opened(current) if current and is_meant_for(current, provider) else ""


def opened(credential: ProviderCredential) -> str:
    """The secret itself.

    Raises:
        DecryptionFailed: the root key that it was sealed under is not at hand, or it was destroyed.
    """
    if credential.sealed is None:
        raise DecryptionFailed(f"{credential} was destroyed")
    return sealed.unseal(credential.sealed, context=_place(credential.provider_id)).decode()


def is_meant_for(credential: ProviderCredential, provider: Provider) -> bool:
    """Whether a version was stored for where the provider is now. Nowhere else it is sent."""
    return credential.address == address_of(provider.base_url)


def same(credential: ProviderCredential, text: str) -> bool:
    """Whether a version that is not destroyed holds that very secret."""
    return credential.sealed is not None and hmac.compare_digest(opened(credential), text)


def _place(provider_id: int) -> str:
    return f"provider-credential/{provider_id}"


COLUMN = sealed.Column(
    model=ProviderCredential,
    name="sealed",
    context=lambda row: _place(row.provider_id),
    title="provider credentials",
)
