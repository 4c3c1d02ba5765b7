"""Makes keys, and destroys them. `rotations.py` wraps them anew."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone

from compliance import audit, envelope, rows
from compliance.contracts import SYSTEM, Actor, Target
from compliance.crypto import key_version
from compliance.errors import KeyDestroyed
from compliance.keyring import store
from compliance.keyring.models import DeadKey, SubjectKey, TenantKey
from compliance.keyring.roots import root_keys
from compliance.keyring.store import DATABASE, DataKey

_TENANTS_KEYS = 7_262_001
"""The advisory lock, with a tenant's number, under which the versions of its key are made."""

_CURRENT = """
SELECT version FROM keys_tenantkey WHERE tenant_id = %s AND wrapped IS NOT NULL AND retired_at IS NULL
ORDER BY version DESC LIMIT 1 FOR SHARE
"""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What a certificate says about a key that is no more."""

    id: UUID
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class DestroyedTenantKey:
    """The same of a tenant's key."""

    version: int
    fingerprint: bytes


def make_tenant_key(*, tenant_id: int, by: Actor) -> int:
    """Makes a tenant's first key, or the next version of it, and returns the version.

    Raises:
        KeyDestroyed: the tenant's keys were destroyed when it left.
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    with _both():
        _one_at_a_time(tenant_id)
        return _next_tenant_key(tenant_id, by=by).version


def make_subject_keys(*, tenant_id: int, surrogates: Collection[str]) -> dict[str, DataKey]:
    """Makes the keys that those people lack, under the tenant's current key, and returns the keys of all of them.

    Raises:
        KeyDestroyed: the key of one of them, or of the tenant, was destroyed. Nothing was made.
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    known = store.subject_keys(tenant_id, surrogates)
    missing = sorted(set(surrogates) - known.keys())
    if not missing:
        return known
    _refuse_destroyed(tenant_id, missing)
    _have_tenant_key(tenant_id)
    with store.answering(), transaction.atomic(using=DATABASE):
        _make(tenant_id, missing)
    return known | store.subject_keys(tenant_id, missing)


def destroy_subject_keys(
    *, tenant_id: int, surrogates: Collection[str], by: Actor, reason: str = ""
) -> list[Destroyed]:
    """Destroys those people's keys for good: what they sealed can be read by nobody any more.

    May be called again, and returns the same. Who had no key can get none from then on.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    wanted = sorted(set(surrogates))
    with _both():
        _never_to_be_made(tenant_id, wanted)
        of_them = SubjectKey.objects.filter(tenant_id=tenant_id, surrogate__in=wanted)
        alive = list(of_them.filter(wrapped__isnull=False).select_for_update().order_by("id"))
        of_them.filter(pk__in=[key.pk for key in alive]).update(wrapped=None, destroyed_at=timezone.now())
        for key in alive:
            _record("subjectkey", key.pk, tenant_id, key.fingerprint, by=by, reason=reason)
        destroyed = list(of_them.exclude(fingerprint=b"").order_by("id"))
    return [Destroyed(key.pk, bytes(key.fingerprint)) for key in destroyed]


def destroy_tenant_keys(*, tenant_id: int, by: Actor, reason: str) -> list[DestroyedTenantKey]:
    """Destroys all versions of a tenant's key, and so the keys of all its people. May be called again.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    with _both():
        _one_at_a_time(tenant_id)
        of_it = TenantKey.objects.filter(tenant_id=tenant_id)
        alive = list(of_it.filter(wrapped__isnull=False).select_for_update().order_by("version"))
        of_it.filter(wrapped__isnull=False).update(wrapped=None, destroyed_at=timezone.now())
        for key in alive:
            _record("tenantkey", key.pk, tenant_id, key.fingerprint, by=by, reason=reason)
        destroyed = list(of_it.order_by("version"))
    store.forget(tenant_id)
    return [DestroyedTenantKey(key.version, bytes(key.fingerprint)) for key in destroyed]


def bury(*, fingerprints: Collection[bytes], at: datetime, by: Actor) -> int:
    """Keeps keys with those fingerprints from ever being stored again, as after a restore; returns how many are new.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    with _both():
        known = DeadKey.objects.filter(pk__in=fingerprints).values_list("pk", flat=True)
        new = set(fingerprints) - {bytes(each) for each in known}
        DeadKey.objects.bulk_create([DeadKey(pk=each, destroyed_at=at) for each in sorted(new)], ignore_conflicts=True)
        for each in sorted(new):
            _record("deadkey", each.hex(), None, each, by=by, reason="")
    return len(new)


@contextmanager
def _both() -> Iterator[None]:
    """One transaction in each database; that of the keys ends first.

    A crash between the two leaves a key made or destroyed without its event: the rows of the keys database still tell.
    """
    with store.answering(), transaction.atomic(), transaction.atomic(using=DATABASE):
        yield


def _one_at_a_time(tenant_id: int) -> None:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashint8(%s))", [_TENANTS_KEYS, tenant_id])


def _next_tenant_key(tenant_id: int, *, by: Actor) -> TenantKey:
    keys = list(TenantKey.objects.filter(tenant_id=tenant_id).order_by("version"))
    if any(key.destroyed_at for key in keys):
        raise KeyDestroyed(f"The keys of tenant {tenant_id} were destroyed. It cannot store anything again.")
    version = keys[-1].version + 1 if keys else 1
    key = envelope.new_key()
    wrapped = root_keys().wrap(key, context=store.place_of_tenant_key(tenant_id, version))
    row = TenantKey(
        tenant_id=tenant_id,
        version=version,
        wrapped=wrapped,
        root_version=key_version(wrapped),
        fingerprint=envelope.fingerprint(key),
    )
    return rows.create(row, by=by)


def _have_tenant_key(tenant_id: int) -> None:
    """Makes the tenant's first key, unless there is one."""
    if store.tenant_keys(tenant_id):
        return
    with _both():
        _one_at_a_time(tenant_id)
        if not TenantKey.objects.filter(tenant_id=tenant_id, destroyed_at=None).exists():
            _next_tenant_key(tenant_id, by=SYSTEM)


def _refuse_destroyed(tenant_id: int, surrogates: Collection[str]) -> None:
    with store.answering():
        rows = SubjectKey.objects.filter(tenant_id=tenant_id, surrogate__in=surrogates)
        destroyed = sorted(row.surrogate for row in rows)
    # They have rows and yet no key that opens: their own was destroyed, or that of their tenant.
    if destroyed:
        raise KeyDestroyed(f"The keys of {len(destroyed)} people were destroyed, {destroyed[0]} for one.")


def _make(tenant_id: int, surrogates: Collection[str]) -> None:
    version, above = _current(tenant_id)
    made = [_new(tenant_id, surrogate, version=version, above=above) for surrogate in surrogates]
    SubjectKey.objects.bulk_create(made, ignore_conflicts=True)  # somebody else may be faster: their key counts


def _current(tenant_id: int) -> tuple[int, bytes]:
    """The version that wraps new keys, kept from being retired until this transaction ends, and the key."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_CURRENT, [tenant_id])
        found = cursor.fetchone()
    if found is None:
        raise KeyDestroyed(f"The keys of tenant {tenant_id} were destroyed. It cannot store anything again.")
    return found[0], store.tenant_keys(tenant_id, having=found)[found[0]]


def _new(tenant_id: int, surrogate: str, *, version: int, above: bytes) -> SubjectKey:
    key = envelope.new_key()
    row = SubjectKey(
        tenant_id=tenant_id,
        surrogate=surrogate,
        tenant_key_version=version,
        fingerprint=envelope.fingerprint(key),
    )
    row.wrapped = envelope.wrap(key, under=above, context=store.place_of(tenant_id, surrogate, row.id))
    return row


def _never_to_be_made(tenant_id: int, surrogates: Collection[str]) -> None:
    """Leaves a row without a key, destroyed from the beginning, where there is none."""
    now = timezone.now()
    SubjectKey.objects.bulk_create(
        [
            SubjectKey(
                tenant_id=tenant_id, surrogate=surrogate, tenant_key_version=0, fingerprint=b"", destroyed_at=now
            )
            for surrogate in surrogates
        ],
        ignore_conflicts=True,
    )


def _record(
    kind: str, id: object, tenant_id: int | None, fingerprint: bytes | memoryview, *, by: Actor, reason: str
) -> None:
    audit.record(
        by=by,
        action=f"{kind}.destroyed",
        target=Target(kind=kind, id=str(id)),
        tenant_id=tenant_id,
        before={"fingerprint": bytes(fingerprint).hex()},
        reason=reason,
    )
