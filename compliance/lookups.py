"""How a person's lookup is computed: a keyed hash of the external id, under a salt that the tenant's app keeps."""

from collections.abc import Callable, Collection

LookupsOf = Callable[[int, Collection[str]], dict[str, str]]
"""From a tenant and external ids to their lookups."""

_lookups_of: list[LookupsOf] = []


def register(lookups_of: LookupsOf) -> None:
    """Says who computes lookups; called once, when the apps are ready."""
    _lookups_of[:] = [lookups_of]


def lookup_of(tenant_id: int, external_id: str) -> str:
    """The lookup of one person of that tenant."""
    return lookups_of(tenant_id, [external_id])[external_id]


def lookups_of(tenant_id: int, external_ids: Collection[str]) -> dict[str, str]:
    """The lookups of many, by external id; the salt is opened once.

    Raises:
        LookupError: nobody registered how.
    """
    if not _lookups_of:
        raise LookupError("no app has registered how lookups are computed; see accounts/apps.py")
    return _lookups_of[0](tenant_id, external_ids)
