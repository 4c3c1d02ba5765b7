"""Reads keys. Tenants' keys stay in the process for at most a minute; those of people are read anew each time."""

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from uuid import UUID

from django.db import InterfaceError, OperationalError, connections
from msgspec import Struct

from compliance import envelope, erasure_gate
from compliance.errors import DecryptionFailed, KeyStoreUnavailable
from compliance.keyring.models import TenantKey
from compliance.keyring.roots import root_keys

DATABASE = "keys"
_ID_BYTES, _MARK_BYTES = 16, 32
CACHED_S = 60.0
"""How long a process may remember a tenant's key. One that was destroyed opens nothing from then on all the same:
people's keys are read together with what became of the key that wraps them."""

# What is destroyed, or wrapped by what is destroyed, is absent.
_READ = """
SELECT s.surrogate, s.id, s.wrapped, s.tenant_key_version, s.fingerprint
FROM keys_subjectkey s JOIN keys_tenantkey t ON t.tenant_id = s.tenant_id AND t.version = s.tenant_key_version
WHERE s.tenant_id = %s AND s.surrogate = ANY(%s) AND s.wrapped IS NOT NULL AND t.wrapped IS NOT NULL
"""

READ_MANY = """
SELECT asked.number, key.id::text, uuid_send(key.id) || key.wrapped || key.fingerprint, key.tenant_key_version
FROM ROWS FROM (unnest(%s::bigint[]), jsonb_array_elements_text(%s::jsonb))
    WITH ORDINALITY AS asked (tenant_id, surrogate, number)
CROSS JOIN LATERAL (
    SELECT one.* FROM keys_subjectkey AS one
    WHERE one.tenant_id = asked.tenant_id AND one.surrogate = asked.surrogate AND one.wrapped IS NOT NULL LIMIT 1
) AS key
JOIN keys_tenantkey AS above
  ON above.tenant_id = asked.tenant_id AND above.version = key.tenant_key_version AND above.wrapped IS NOT NULL
"""
"""The same of people of several tenants, for a connection of one's own: tenants' ids and surrogates go in, one for each
person; for each who has a key comes who it is, counted from 1, and what a `WrappedKey` is made of."""


class WrappedKey(Struct, frozen=True, gc=False):
    """A person's key as it lies in the database, with what opens it. `packed`: its id, itself and its fingerprint."""

    id: str
    packed: bytes
    unwrapper: envelope.Unwrapper

    def opened(self, tenant_id: int, surrogate: str) -> tuple[bytes, bytes]:
        """The id and the key of that person.

        Raises:
            DecryptionFailed: it is not theirs, or was altered.
        """
        packed, place = self.packed, place_of(tenant_id, surrogate, self.id)
        key = self.unwrapper.unwrap(packed[_ID_BYTES:-_MARK_BYTES], context=place)
        return packed[:_ID_BYTES], checked(key, known_as=packed[-_MARK_BYTES:])

    def __repr__(self) -> str:
        return f"WrappedKey({self.id})"  # logs may show it


class DataKey(Struct, frozen=True):
    """A person's key, ready to use. Forget it with the batch that it was read for."""

    id: UUID
    key: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.id})"  # logs may show it


_lock = threading.Lock()
_cached: dict[int, tuple[float, Mapping[int, bytes]]] = {}


def tenant_keys(tenant_id: int, *, having: Collection[int] = ()) -> Mapping[int, bytes]:
    """A tenant's keys by version, retired ones too. Those are read anew where the remembered ones lack one of `having`.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
        NotReplayed: a database was restored, and the erasures since then are not replayed.
        DecryptionFailed: the root key of one is not at hand.
    """
    return remembered_tenant_keys(tenant_id, having=having) or _read_tenant_keys(tenant_id)


def remembered_tenant_keys(tenant_id: int, *, having: Collection[int] = ()) -> Mapping[int, bytes] | None:
    """The same where they are remembered, without waiting for anything; else None."""
    with _lock:
        since, keys = _cached.get(tenant_id, (0.0, {}))
    if keys and monotonic() - since < CACHED_S and all(version in keys for version in having):
        return keys
    return None


def require_replayed() -> None:
    """Lets pass where no database is behind the ledger of erasures: to be called before any key is read.

    Raises:
        KeyStoreUnavailable: one of the databases does not answer.
        NotReplayed: one was restored, and the erasures since then were not replayed.
    """
    with answering():
        erasure_gate.require_replayed()


def subject_keys(tenant_id: int, surrogates: Collection[str]) -> dict[str, DataKey]:
    """The keys of those people who have one that is not destroyed, in one query.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
        NotReplayed: a database was restored, and erasures since then were not replayed.
        DecryptionFailed: a row was altered or moved, or a root key is not at hand.
    """
    require_replayed()
    with answering(), connections[DATABASE].cursor() as cursor:
        cursor.execute(_READ, [tenant_id, list(surrogates)])
        rows = cursor.fetchall()
    if not rows:
        return {}
    versions = {version for _, _, _, version, _ in rows}
    above = tenant_keys(tenant_id, having=versions)
    unwrappers = {version: envelope.Unwrapper(above[version]) for version in versions & above.keys()}
    return {
        surrogate: DataKey(
            id,
            checked(
                unwrappers[version].unwrap(wrapped, context=place_of(tenant_id, surrogate, id)),
                known_as=mark,
            ),
        )
        for surrogate, id, wrapped, version, mark in rows
        if version in unwrappers  # else it was destroyed since the query
    }


def forget(tenant_id: int | None = None) -> None:
    """Drops a tenant's keys, or all, from this process's memory."""
    with _lock:
        if tenant_id is None:
            _cached.clear()
            erasure_gate.forget()
        else:
            _cached.pop(tenant_id, None)


def place_of(tenant_id: int, surrogate: str, id: UUID | str) -> str:
    """Where a person's wrapped key belongs."""
    return f"subject-key/{tenant_id}/{surrogate}/{id}"


def place_of_tenant_key(tenant_id: int, version: int) -> str:
    """Where a tenant's wrapped key belongs."""
    return f"tenant-key/{tenant_id}/{version}"


def open_key(wrapped: bytes, *, under: bytes, context: str, known_as: bytes) -> bytes:
    """Unwraps a key and checks that it is the one with that fingerprint.

    Raises:
        DecryptionFailed: it was altered, moved or exchanged.
    """
    return checked(envelope.unwrap(bytes(wrapped), under=under, context=context), known_as=known_as)


def checked(key: bytes, *, known_as: bytes) -> bytes:
    """The key, if it is the one with that fingerprint.

    Raises:
        DecryptionFailed: it is another one.
    """
    if envelope.fingerprint(key) != known_as:
        raise DecryptionFailed("the wrapped key is another one than its row says")
    return key


@contextmanager
def answering() -> Iterator[None]:
    """Turns a keys database that does not answer into `KeyStoreUnavailable`."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise KeyStoreUnavailable("The keys database does not answer.") from error


def _read_tenant_keys(tenant_id: int) -> Mapping[int, bytes]:
    began, roots = monotonic(), root_keys()
    with answering():
        erasure_gate.require_replayed()
        rows = list(TenantKey.objects.filter(tenant_id=tenant_id, wrapped__isnull=False))
    keys = {
        row.version: checked(
            roots.unwrap(bytes(row.wrapped or b""), context=place_of_tenant_key(tenant_id, row.version)),
            known_as=bytes(row.fingerprint),
        )
        for row in rows
    }
    with _lock:
        for other in [id for id, (since, _) in _cached.items() if began - since >= CACHED_S]:
            del _cached[other]
        _cached[tenant_id] = (began, keys)
    return keys
