"""Wraps keys anew, and retires versions that nothing needs. Content stays as it is, byte for byte.

All of it may be killed at any moment and called again: what is left of a rotation is its rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import sleep
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, connections, transaction
from django.db.models import Count, Max, Q
from django.utils import timezone

from compliance import audit, envelope, sealed
from compliance.actions import jobs, keys
from compliance.contracts import Actor, Target
from compliance.crypto import key_version
from compliance.errors import ActionRefused, AlreadyRunning, DecryptionFailed, KeyVersionInUse
from compliance.keyring import store, usage
from compliance.keyring.models import RetiredRoot, TenantKey
from compliance.keyring.roots import root_keys
from compliance.keyring.store import DATABASE
from compliance.models import AuditEvent
from compliance.sealed import Column

BATCH = 1000
ROUND_S = 0.1
LEAST = UUID(int=0)
Watch = Callable[[int, int], None]
"""Is told how many are done, and of how many."""

_SOME = """
SELECT id, surrogate, wrapped, fingerprint FROM keys_subjectkey
WHERE tenant_id = %s AND tenant_key_version = %s AND wrapped IS NOT NULL AND id > %s
ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_WRAP = """
UPDATE keys_subjectkey AS old SET wrapped = new.wrapped, tenant_key_version = %s
FROM unnest(%s::uuid[], %s::bytea[]) AS new (id, wrapped) WHERE old.id = new.id
"""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did: the version that holds now, and how many values are under it anew."""

    version: int
    wrapped: int


def _unwatched(done: int, total: int) -> None:
    return None


# --- a tenant's key ------------------------------------------------------------------------------------------------


def rotate_tenant_key(*, tenant_id: int, by: Actor, watch: Watch = _unwatched) -> Rotated:
    """Makes the next version of a tenant's key, wraps all its people's keys under it, and retires the one before.

    A rotation that was interrupted is brought to its end instead.

    Raises:
        ActionRefused: the tenant has no key.
        AlreadyRunning: one is under way.
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    with jobs.running(kind="rotate_tenant_key", key=str(tenant_id), tenant_id=tenant_id, by=by) as progress:
        old, new = _versions(tenant_id, by=by)
        wrapping = _Wrapping(tenant_id, new, progress, watch)
        for version in old:
            wrapping.leave(version, by=by)
        progress.result = {"version": new, "wrapped": wrapping.done}
    return Rotated(new, wrapping.done)


@transaction.atomic
def retire_tenant_key(*, tenant_id: int, version: int, by: Actor) -> None:
    """Lets a version of a tenant's key wrap nothing any more. It stays readable for what is in backups.

    Raises:
        KeyVersionInUse: people's keys need it, or it is the tenant's only one.
    """
    with store.answering(), transaction.atomic(using=DATABASE):
        in_use = TenantKey.objects.select_for_update().filter(tenant_id=tenant_id, retired_at=None, destroyed_at=None)
        if not any(row.version > version for row in in_use):
            raise KeyVersionInUse(f"Version {version} is the newest of the tenant's key. Rotate it first.")
        if row := next((row for row in in_use if row.version == version), None):
            _refuse_while_used(tenant_id, version)
            TenantKey.objects.filter(pk=row.pk).update(retired_at=timezone.now())
            _record("tenantkey.retired", Target("tenantkey", str(row.pk)), tenant_id, {"version": version}, by)


def _refuse_while_used(tenant_id: int, version: int) -> None:
    if used := usage.of_tenant_keys([tenant_id])[tenant_id, version]:
        raise KeyVersionInUse(
            f"{used:,} people's keys still need version {version}. "
            f"Run manage.py rotate_keys --tenant {tenant_id} to wrap them anew."
        )


def _versions(tenant_id: int, *, by: Actor) -> tuple[list[int], int]:
    """The versions to leave, and the one to come to; a new one, unless a rotation was interrupted."""
    with store.answering():
        rows = TenantKey.objects.filter(tenant_id=tenant_id, retired_at=None, destroyed_at=None)
        found = list(rows.order_by("version").values_list("version", flat=True))
    if not found:
        raise ActionRefused("This tenant has no key: nothing of its people is stored.")
    if len(found) == 1:
        found.append(keys.make_tenant_key(tenant_id=tenant_id, by=by))
    return found[:-1], found[-1]


class _Wrapping:
    """The keys of one tenant's people, on their way to another version."""

    def __init__(self, tenant_id: int, new: int, progress: jobs.Progress, watch: Watch) -> None:
        self._tenant_id, self._new, self._progress, self._watch = tenant_id, new, progress, watch
        self.done = progress.run.done if progress.resumed else 0

    def leave(self, version: int, *, by: Actor) -> None:
        """Wraps until nothing is left under `version`, and retires it."""
        while True:
            self._wrap(version)
            try:
                return retire_tenant_key(tenant_id=self._tenant_id, version=version, by=by)
            except KeyVersionInUse:  # others held rows, or made some while they did not know the new version
                sleep(ROUND_S)

    def _wrap(self, version: int) -> None:
        total, last = self.done + usage.of_tenant_keys([self._tenant_id])[self._tenant_id, version], LEAST
        self._tell(total)
        while batch := self._wrap_batch(version, last):
            last = batch[-1]
            self.done += len(batch)
            self._tell(max(total, self.done))

    def _wrap_batch(self, version: int, last: UUID) -> list[UUID]:
        """One short transaction. What others have locked is left to the next round."""
        with store.answering(), transaction.atomic(using=DATABASE), connections[DATABASE].cursor() as cursor:
            cursor.execute(_SOME, [self._tenant_id, version, last, BATCH])
            rows = cursor.fetchall()
            if rows:
                above = store.tenant_keys(self._tenant_id, having=(version, self._new))
                wrapped = [self._anew(row, old=above[version], new=above[self._new]) for row in rows]
                cursor.execute(_WRAP, [self._new, [row[0] for row in rows], wrapped])
        return [row[0] for row in rows]

    def _anew(self, row: tuple[Any, ...], *, old: bytes, new: bytes) -> bytes:
        id, surrogate, wrapped, mark = row
        place = store.place_of(self._tenant_id, surrogate, id)
        key = store.open_key(wrapped, under=old, context=place, known_as=mark)
        return envelope.wrap(key, under=new, context=place)

    def _tell(self, total: int) -> None:
        self._progress.at(self.done, total, "wrapping people's keys anew")
        self._watch(self.done, total)


# --- the root key ----------------------------------------------------------------------------------------------------


def rewrap_root(*, by: Actor, watch: Watch = _unwatched) -> Rotated:
    """Seals everything that is under an older root key under the current one: tenants' and signing keys, small secrets.

    Raises:
        AlreadyRunning: it is under way.
        DecryptionFailed: some values do not open; all others are done.
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    current = root_keys().current_version
    with jobs.running(kind="rewrap_root", by=by) as progress:
        sealing = _Sealing(current, progress, watch)
        for column in sealed.columns():
            sealing.seal_anew(column)
        progress.result = {"version": current, "wrapped": sealing.done, "unreadable": sealing.unreadable}
        if sealing.done:
            _record("rootkey.rotated", Target("rootkey", str(current)), None, dict(progress.result), by)
        if sealing.unreadable:
            raise DecryptionFailed(
                f"Not to be opened: {usage.listed(sealing.unreadable)}. Is an older root key missing?"
            )
    return Rotated(current, sealing.done)


class _Sealing:
    """Everything under root keys, on its way to the current version."""

    def __init__(self, current: int, progress: jobs.Progress, watch: Watch) -> None:
        self._current, self._progress, self._watch = current, progress, watch
        self._total = sum(sum(counts.values()) for v, counts in usage.of_root_keys().items() if v != current)
        self.done = 0
        self.unreadable: dict[str, int] = {}

    def seal_anew(self, column: Column) -> None:
        last = None
        while rows := self._older(column, last):
            for row in rows:
                self._seal_anew(column, row)
            last = rows[-1].pk

    def _older(self, column: Column, last: Any) -> list[Any]:
        rows = usage.by_version(column).exclude(sealed_under=self._current.to_bytes(2, "big")).order_by("pk")
        with store.answering():
            return list((rows if last is None else rows.filter(pk__gt=last))[:BATCH])

    def _seal_anew(self, column: Column, row: Any) -> None:
        """Exchanges one value, unless somebody else did so since it was read."""
        before, context = bytes(getattr(row, column.name)), column.context(row)
        try:
            after = sealed.seal(sealed.unseal(before, context=context), context=context)
        except DecryptionFailed:
            self.unreadable[column.title] = self.unreadable.get(column.title, 0) + 1
            return
        values = {column.name: after, **({column.version: key_version(after)} if column.version else {})}
        with store.answering():
            column.model._default_manager.filter(pk=row.pk, **{column.name: before}).update(**values)
        self.done += 1
        self._tell(column.title)

    def _tell(self, step: str) -> None:
        total = max(self._total, self.done)
        self._progress.at(self.done, total, step)
        self._watch(self.done, total)


def retire_root_key(*, version: int, by: Actor) -> None:
    """Says that a version of the root key may be thrown away; from then on the database refuses keys under it.

    Two people have agreed to it: `actions/root_keys.py`.

    What refuses is in the keys database, and small secrets are in the main one. A process that was not restarted may
    have sealed one meanwhile, so they are counted once more afterwards. One that does so later still is found by
    calling this again, which is to be done before the key is thrown away.

    Raises:
        KeyVersionInUse: something needs it, or it is the current one.
        KeyStoreUnavailable: the keys database does not answer.
    """
    _mark_retired(version, by=by)
    _count_again(version)


@transaction.atomic
def _mark_retired(version: int, *, by: Actor) -> None:
    with store.answering(), transaction.atomic(using=DATABASE):
        with connections[DATABASE].cursor() as cursor:  # nobody may wrap anything between the count and the mark
            cursor.execute("LOCK TABLE keys_tenantkey, keys_signingkey IN SHARE ROW EXCLUSIVE MODE")
        usage.require_unused_root(version)
        _row, is_new = RetiredRoot.objects.get_or_create(version=version)
        if is_new or not _is_on_record(version):
            _record("rootkey.retired", Target("rootkey", str(version)), None, {"version": version}, by)


def _is_on_record(version: int) -> bool:
    """Not so where the process died between the two databases' commits."""
    return AuditEvent.objects.filter(action="rootkey.retired", target_kind="rootkey", target_id=str(version)).exists()


@transaction.atomic
def _count_again(version: int) -> None:
    """Waits for whoever is writing small secrets, and counts what they wrote."""
    tables = sorted({column.model._meta.db_table for column in sealed.columns() if column not in usage.KEYS})
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            for table in tables:
                cursor.execute(f'LOCK TABLE "{table}" IN SHARE MODE')
    except OperationalError as error:
        raise KeyVersionInUse("Somebody is changing secrets now. Run this again in a moment.") from error
    if late := usage.of_root_keys().get(version):
        raise KeyVersionInUse(
            f"Do not throw root key {version} away: while it was retired, a process that still seals under it has made "
            f"{usage.listed(late)}. Restart what still uses it, run manage.py rotate_keys --root, and then this again."
        )


def _record(action: str, target: Target, tenant_id: int | None, after: dict[str, Any], by: Actor) -> None:
    with transaction.atomic():
        audit.record(by=by, action=action, target=target, tenant_id=tenant_id, after=after)


# --- by the clock ----------------------------------------------------------------------------------------------------


def rotate_due(*, days: int, by: Actor) -> list[int]:
    """Rotates the keys of tenants that are older than `days`, and ends what was interrupted; returns the tenants.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    in_use = TenantKey.objects.filter(retired_at=None, destroyed_at=None).values("tenant_id").order_by("tenant_id")
    due = Q(newest__lt=timezone.now() - timedelta(days=days)) | Q(versions__gt=1)
    with store.answering():
        rows = list(in_use.annotate(newest=Max("created_at"), versions=Count("pk")).filter(due))
    return [row["tenant_id"] for row in rows if _rotated(row["tenant_id"], by=by)]


def _rotated(tenant_id: int, *, by: Actor) -> bool:
    try:
        rotate_tenant_key(tenant_id=tenant_id, by=by)
    except AlreadyRunning:
        return False
    return True
