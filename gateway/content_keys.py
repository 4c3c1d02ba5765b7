"""Reads the keys of the people in a batch of content: one query for all, over a connection of its own.

What may take long is done in threads; where a tenant's keys cannot be had, those of the others are.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping

import msgspec
import psycopg

from compliance.envelope import Unwrapper
from compliance.keyring import store
from compliance.keyring.store import WrappedKey
from gateway import subject_keys
from gateway.batches import Caller, Cursor, Params
from gateway.bridge import Bridge
from gateway.content import Wish

TENANT_WITHIN_S = 3.0
"""How long a tenant's keys may take, which a provider of root keys may have to unwrap. Less than the whole may."""

Row = tuple[int, str, bytes, int]

_encode = msgspec.json.Encoder().encode


class ContentKeys:
    """Of the database of keys; `bridge` has the threads, one of which `keeps` its connections."""

    def __init__(self, keys: Params, *, bridge: Bridge, keeping: Bridge) -> None:
        # Planned once; a person's key is looked up by its index, whatever there was of them when that was.
        self._rows = Caller(keys, _rows, settings=["enable_seqscan = off"])
        self._bridge = bridge
        self._keeping = keeping

    async def of(self, wishes: Collection[Wish]) -> dict[Wish, WrappedKey]:
        """Of those of the people who have one; who never had one gets one. Whose keys cannot be read is left out.

        Raises:
            psycopg.Error, KeyStoreUnavailable, NotReplayed: no keys can be read now.
        """
        await self._keeping.run(store.require_replayed)
        asked = list(wishes)
        rows = await self._fetched(asked)
        found = await self._openable(asked, rows)
        if len(rows) < len(asked):
            have = {number for number, _, _, _ in rows}
            missing = [wish for number, wish in enumerate(asked, 1) if number not in have]
            await self._bridge.run(lambda: subject_keys.make({wish[:2] for wish in missing}))
            found.update(await self._openable(missing, await self._fetched(missing)))
        return found

    async def close(self) -> None:
        await self._rows.disconnect()

    async def _fetched(self, wishes: list[Wish]) -> list[Row]:
        try:
            return await self._rows(wishes)
        except (psycopg.OperationalError, psycopg.InterfaceError):  # the connection may have been cut since
            return await self._rows(wishes)

    async def _openable(self, wishes: list[Wish], rows: list[Row]) -> dict[Wish, WrappedKey]:
        versions: defaultdict[int, set[int]] = defaultdict(set)
        for number, _, _, version in rows:
            versions[wishes[number - 1][0]].add(version)
        openers = await self._openers(versions)
        found: dict[Wish, WrappedKey] = {}
        for number, id, packed, version in rows:
            wish = wishes[number - 1]
            if opener := openers.get((wish[0], version)):  # else it was destroyed since, or is out of reach
                found[wish] = WrappedKey(id, packed, opener)
        return found

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
        try:
            async with asyncio.timeout(TENANT_WITHIN_S):
                return await self._bridge.run(lambda: store.tenant_keys(tenant_id, having=having))
        except Exception as error:
            subject_keys.complain(tenant_id, error)
            return {}


async def _rows(cursor: Cursor, wishes: list[Wish]) -> list[Row]:
    """Their keys, as far as they have one."""
    tenants = "{" + ",".join([str(wish[0]) for wish in wishes]) + "}"
    surrogates = _encode([wish[1] for wish in wishes]).decode()
    await cursor.execute(store.READ_MANY, (tenants, surrogates), binary=True)
    return list(await cursor.fetchall())
