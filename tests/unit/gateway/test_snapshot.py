"""Policy in memory: loaded once, dropped when it changes, never served unconfirmed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import pytest

from gateway.compile import Compiled
from gateway.errors import Unavailable
from gateway.models.policy import GLOBAL_SCOPE
from gateway.principal import Principal
from gateway.routing import RouteTable
from gateway.snapshot import Snapshots

ACME, UMBRELLA = 1, 2


@dataclass
class Known:
    """What a principal is to snapshots."""

    public_id: str
    revision: int
    changes_at: float


class Source:
    """Stands for the database: counts loads, and lets a test hold them up."""

    def __init__(self) -> None:
        self.revision = {GLOBAL_SCOPE: 1, ACME: 1, UMBRELLA: 1}
        self.tenant_of = {"key-a": ACME, "key-u": UMBRELLA}
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.table_expires_at = float("inf")
        self.changes_at = float("inf")
        self.broken = False

    async def principal(self, public_id: str) -> Compiled[Principal | None]:
        self.loads += 1
        tenant = self.tenant_of.get(public_id)
        if tenant is None:
            return Compiled(None, {})
        revisions = {GLOBAL_SCOPE: self.revision[GLOBAL_SCOPE], tenant: self.revision[tenant]}
        await self.gate.wait()
        if self.broken:
            raise OSError("no database")
        known = Known(public_id, revisions[tenant], self.changes_at)
        return Compiled(cast(Principal, known), revisions)

    async def routes(self) -> Compiled[RouteTable]:
        self.loads += 1
        return Compiled(RouteTable({}, self.table_expires_at), {GLOBAL_SCOPE: self.revision[GLOBAL_SCOPE]})


def story(tell: Callable[[Snapshots, Source], Awaitable[None]]) -> None:
    async def run() -> None:
        source = Source()
        snapshots = Snapshots(load_principal=source.principal, load_routes=source.routes)
        snapshots.confirm({}, at=time.monotonic())
        await tell(snapshots, source)

    asyncio.run(run())


def test_it_works() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        first = await snapshots.principal("key-a")
        assert await snapshots.principal("key-a") is first
        assert source.loads == 1

    story(tell)


def test_however_many_wait_it_is_loaded_once() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        await asyncio.gather(*(snapshots.principal("key-a") for _ in range(50)))
        assert source.loads == 1

    story(tell)


def test_one_who_leaves_does_not_end_the_load_for_the_others() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        source.gate.clear()
        leaver, stayer = (asyncio.ensure_future(snapshots.principal("key-a")) for _ in range(2))
        await asyncio.sleep(0)
        leaver.cancel()
        source.gate.set()
        assert await stayer is not None

    story(tell)


def test_a_change_drops_what_depends_on_it_and_nothing_else() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        await snapshots.principal("key-a")
        kept = await snapshots.principal("key-u")
        source.revision[ACME] = 2
        snapshots.drop(ACME)
        assert cast(Known, await snapshots.principal("key-a")).revision == 2
        assert await snapshots.principal("key-u") is kept

    story(tell)


def test_a_global_change_drops_everything() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        await snapshots.principal("key-a")
        await snapshots.routes()
        snapshots.drop(GLOBAL_SCOPE)
        await snapshots.principal("key-a")
        await snapshots.routes()
        assert source.loads == 4

    story(tell)


def test_a_change_during_a_load_makes_it_load_again() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        source.gate.clear()
        task = asyncio.ensure_future(snapshots.principal("key-a"))
        await asyncio.sleep(0.01)
        source.revision[ACME] = 2
        snapshots.drop(ACME)
        source.gate.set()
        assert cast(Known, await task).revision == 2

    story(tell)


def test_a_change_that_nobody_was_told_of_is_found_by_comparing() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        await snapshots.principal("key-a")
        source.revision[ACME] = 2
        snapshots.confirm(dict(source.revision), at=time.monotonic())
        assert cast(Known, await snapshots.principal("key-a")).revision == 2

    story(tell)


def test_what_could_not_be_confirmed_for_too_long_is_not_served() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        await snapshots.principal("key-a")
        snapshots.confirm(dict(source.revision), at=time.monotonic() - 10.1)
        with pytest.raises(Unavailable):
            await snapshots.principal("key-a")
        with pytest.raises(Unavailable):
            await snapshots.routes()
        snapshots.confirm(dict(source.revision), at=time.monotonic())
        assert await snapshots.principal("key-a")

    story(tell)


def test_an_unknown_key_is_remembered_and_forgotten_with_any_change() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        assert await snapshots.principal("new") is None
        assert await snapshots.principal("new") is None
        assert source.loads == 1
        source.tenant_of["new"] = ACME
        snapshots.drop(ACME)
        assert await snapshots.principal("new") is not None

    story(tell)


def test_a_failing_database_is_no_unknown_key() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        source.broken = True
        with pytest.raises(Unavailable):
            await snapshots.principal("key-a")
        source.broken = False
        assert await snapshots.principal("key-a")

    story(tell)


def test_a_principal_is_compiled_anew_when_a_date_changes_its_policy() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        source.changes_at = time.time() - 1
        await snapshots.principal("key-a")
        source.changes_at = float("inf")
        anew = await snapshots.principal("key-a")
        assert source.loads == 2
        assert await snapshots.principal("key-a") is anew

    story(tell)


def test_a_price_that_comes_into_force_makes_the_table_load_again() -> None:
    async def tell(snapshots: Snapshots, source: Source) -> None:
        source.table_expires_at = time.time() - 1
        await snapshots.routes()
        source.table_expires_at = float("inf")
        await snapshots.routes()
        await snapshots.routes()
        assert source.loads == 2

    story(tell)
