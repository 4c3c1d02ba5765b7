"""The salts of tenants' pseudonyms, sealed under the root key: a dump of the database alone cannot guess who is who."""

from compliance import sealed

CONTEXT = "tenant-pseudonyms"


def seal(salt: bytes) -> bytes:
    """`salt` as a tenant's row keeps it."""
    return sealed.seal(salt, context=CONTEXT)


def unseal(kept: bytes | memoryview) -> bytes:
    """The salt of a tenant's row.

    Raises:
        DecryptionFailed: the root key that it was sealed under is not at hand.
    """
    return sealed.unseal(kept, context=CONTEXT)
