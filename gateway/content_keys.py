"""Reads the keys of the people in a batch of content: one query for all, over a connection of its own.

What may take long is done in threads; where a tenant's keys cannot be had, those of the others are.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TypeVar

import msgspec
import psycopg
import structlog

from compliance.envelope import Unwrapper
from compliance.keyring import store
from compliance.keyring.store import WrappedKey
from gateway import subject_keys
from gateway.batches import Caller, Cursor, Params
from gateway.bridge import Bridge
from gateway.content import Wish

TENANT_WITHIN_S = 2.0
"""How long it may take to make keys for a tenant's people, or to read its own, which a provider of root keys may have
to unwrap. Both together take less than the whole may."""

Row = tuple[int, str, bytes, int]
T = TypeVar("T")

_encode = msgspec.json.Encoder().encode

log = structlog.get_logger("gateway.transcripts")


class ContentKeys:
    """Of the database of keys. `threads` do what may take long, `keeping` what each batch needs of Django."""

    def __init__(self, keys: Params, *, threads: Bridge, keeping: Bridge) -> None:
        # Planned once; a person's key is looked up by its index, whatever there was of them when that was.
        self._rows = Caller(keys, _rows, settings=["enable_seqscan = off"])
        self._threads = threads
        self._keeping = keeping
        self._busy: set[int] = set()

    async def of(self, wishes: Collection[Wish]) -> dict[Wish, WrappedKey]:
        """Of those of the people who have one; who never had one gets one. Whose keys cannot be read is left out.

        Raises:
            psycopg.Error, KeyStoreUnavailable, NotReplayed: no keys can be read now.
        """
        await self._keeping.run(store.require_replayed)
        rows = await self._fetched(list(wishes))
        if len(rows) < len(wishes):
            missing = [wish for wish in wishes if wish not in rows]
            await self._make(missing)
            rows |= await self._fetched(missing)
        versions: defaultdict[int, set[int]] = defaultdict(set)
        for wish, (_, _, _, version) in rows.items():
            versions[wish[0]].add(version)
        openers = await self._openers(versions)
        return {
            wish: WrappedKey(id, packed, opener)
            for wish, (_, id, packed, version) in rows.items()
            if (opener := openers.get((wish[0], version)))  # else it was destroyed since, or is out of reach
        }

    async def close(self) -> None:
        """Lets go of the connection and the threads."""
        await self._rows.disconnect()
        self._threads.close()
        self._keeping.close()

    async def _fetched(self, wishes: list[Wish]) -> dict[Wish, Row]:
        try:
            rows = await self._rows(wishes)
        except (psycopg.OperationalError, psycopg.InterfaceError):  # the connection may have been cut since
            rows = await self._rows(wishes)
        return {wishes[row[0] - 1]: row for row in rows}

    async def _make(self, wishes: Collection[Wish]) -> None:
        """Keys for those who have none, as far as they may have one."""
        people: defaultdict[int, set[str]] = defaultdict(set)
        for tenant_id, surrogate, _, _ in wishes:
            people[tenant_id].add(surrogate)
        await asyncio.gather(
            *[self._of_tenant(each, partial(subject_keys.make, each, own)) for each, own in people.items()]
        )

    async def _openers(self, versions: Mapping[int, set[int]]) -> dict[tuple[int, int], Unwrapper]:
        """What opens what was wrapped under those versions of tenants' keys."""
        tenants = await asyncio.gather(*[self._tenant_keys(tenant, having) for tenant, having in versions.items()])
        return {
            (tenant, version): Unwrapper(keys[version])
            for (tenant, having), keys in zip(versions.items(), tenants, strict=True)
            for version in having & keys.keys()
        }

    async def _tenant_keys(self, tenant_id: int, having: set[int]) -> Mapping[int, bytes]:
        """None where they cannot be read: that is not the others' trouble."""
        if keys := store.remembered_tenant_keys(tenant_id, having=having):
            return keys
        return await self._of_tenant(tenant_id, lambda: store.tenant_keys(tenant_id, having=having)) or {}

    async def _of_tenant(self, tenant_id: int, work: Callable[[], T]) -> T | None:
        """What a thread makes of it; None where that fails or takes too long. A thread that does is the only one that
        its tenant has, so that none is left for others."""
        if tenant_id in self._busy:
            log.warning("keys cannot be read", tenant_id=tenant_id, error="still waiting")
            return None
        self._busy.add(tenant_id)
        working = asyncio.create_task(self._threads.run(work))
        working.add_done_callback(partial(self._done, tenant_id))
        try:
            async with asyncio.timeout(TENANT_WITHIN_S):
                return await asyncio.shield(working)
        except Exception as error:
            log.warning("keys cannot be read", tenant_id=tenant_id, error=type(error).__name__)
            return None

    def _done(self, tenant_id: int, working: "asyncio.Task[T]") -> None:
        self._busy.discard(tenant_id)
        if not working.cancelled():
            working.exception()  # seen: whoever waited may have gone


async def _rows(cursor: Cursor, wishes: list[Wish]) -> list[Row]:
    """Their keys, as far as they have one."""
    tenants = "{" + ",".join([str(wish[0]) for wish in wishes]) + "}"
    surrogates = _encode([wish[1] for wish in wishes]).decode()
    await cursor.execute(store.READ_MANY, (tenants, surrogates), binary=True)
    return list(await cursor.fetchall())
