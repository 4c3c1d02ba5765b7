"""The keys of the people in a batch of content. Runs in a thread, through `bridge`; nothing is kept."""

from collections import defaultdict
from collections.abc import Collection

import structlog
from django.db import InterfaceError, OperationalError, connections

from compliance.actions import keys
from compliance.errors import ComplianceError, KeyDestroyed, KeyStoreUnavailable
from compliance.keyring import store
from compliance.keyring.store import DataKey
from gateway.content import Person

log = structlog.get_logger("gateway.transcripts")


def of(people: Collection[Person]) -> dict[Person, DataKey]:
    """The keys of those who have one; who has had none yet gets one. Whose keys cannot be read is left out."""
    found: dict[Person, DataKey] = {}
    for tenant_id, surrogates in _by_tenant(people).items():
        try:
            own = _with_another_try(tenant_id, surrogates)
        except ComplianceError as error:  # one tenant's trouble is not that of the others
            log.warning("keys cannot be read", tenant_id=tenant_id, error=type(error).__name__)
            continue
        found.update({(tenant_id, surrogate): key for surrogate, key in own.items()})
    return found


def make(tenant_id: int, surrogates: Collection[str]) -> None:
    """Has each of those people of a tenant get a key who never had one.

    Raises:
        KeyStoreUnavailable, DecryptionFailed, NotReplayed: it cannot be made now.
    """
    _with_another_try(tenant_id, set(surrogates))


def _by_tenant(people: Collection[Person]) -> dict[int, set[str]]:
    by_tenant: defaultdict[int, set[str]] = defaultdict(set)
    for tenant_id, surrogate in people:
        by_tenant[tenant_id].add(surrogate)
    return by_tenant


def _with_another_try(tenant_id: int, surrogates: set[str]) -> dict[str, DataKey]:
    """A connection that was kept may have been cut since."""
    try:
        return _own(tenant_id, surrogates)
    except (KeyStoreUnavailable, OperationalError, InterfaceError):
        connections.close_all()
        return _own(tenant_id, surrogates)


def _own(tenant_id: int, surrogates: set[str]) -> dict[str, DataKey]:
    known = store.subject_keys(tenant_id, surrogates)
    for surrogate in surrogates - known.keys():
        try:
            known.update(keys.make_subject_keys(tenant_id=tenant_id, surrogates=[surrogate]))
        except KeyDestroyed:
            continue  # erased; the INSERT says so, too
    return known
