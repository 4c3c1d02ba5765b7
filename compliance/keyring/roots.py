"""Root keys: what opens tenants' keys, signing keys, and small secrets. Never in a database.

Each provider seals short values (at most 4096 bytes), bound to a `context`. What it makes begins with the layout (1
byte) and the version of the key (2 bytes, big-endian), so that every sealed value tells which root key it needs.
"""

from collections.abc import Collection
from typing import Protocol

from django.conf import settings

from compliance import crypto
from compliance.errors import DecryptionFailed


class RootKeys(Protocol):
    """One provider of root keys."""

    @property
    def versions(self) -> Collection[int]:
        """The versions that it can open."""
        ...

    @property
    def current_version(self) -> int:
        """The version that new values are sealed under."""
        ...

    def wrap(self, value: bytes, *, context: str) -> bytes:
        """Seals under the current version.

        Raises:
            KeyStoreUnavailable: the provider does not answer.
        """
        ...

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """Opens what `wrap` made.

        Raises:
            DecryptionFailed: it was altered, belongs elsewhere, or its version is not at hand.
            KeyStoreUnavailable: the provider does not answer.
        """
        ...


class EnvironmentRootKeys:
    """Root keys that the process itself holds: `ROOT_KEYS`, or the file `ROOT_KEYS_FILE`."""

    def __init__(self, keys: dict[int, bytes]) -> None:
        self._keys = keys

    @property
    def versions(self) -> Collection[int]:
        return self._keys.keys()

    @property
    def current_version(self) -> int:
        return max(self._keys)

    def wrap(self, value: bytes, *, context: str) -> bytes:
        return crypto.seal(value, keys=self._keys, context=context)

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        return crypto.unseal(wrapped, keys=self._keys, context=context)


class Providers:
    """Several providers as one: the first seals, each opens its own versions. So keys move from one to another."""

    def __init__(self, *providers: RootKeys) -> None:
        self._first = providers[0]
        self._of = {version: provider for provider in reversed(providers) for version in provider.versions}

    @property
    def versions(self) -> Collection[int]:
        return self._of.keys()

    @property
    def current_version(self) -> int:
        return self._first.current_version

    def wrap(self, value: bytes, *, context: str) -> bytes:
        return self._first.wrap(value, context=context)

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        version = crypto.key_version(wrapped)
        if version not in self._of:
            raise DecryptionFailed(f"no root key of version {version} at hand")
        return self._of[version].unwrap(wrapped, context=context)


def root_keys() -> RootKeys:
    """The root keys of this installation, as its settings name them."""
    environment = EnvironmentRootKeys(settings.ROOT_KEYS)
    if settings.ROOT_KEY_PROVIDER != "kms":
        return environment
    from compliance.keyring.kms import KmsRootKeys

    return Providers(KmsRootKeys(settings.KMS_KEYS), environment)
