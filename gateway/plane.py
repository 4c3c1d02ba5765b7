"""What the stages work with: one of each per process."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings

from gateway import compile
from gateway.bridge import Bridge
from gateway.failed_keys import FailedKeys
from gateway.hammering import Hammering
from gateway.known_ids import KnownIds
from gateway.ledger import Ledger
from gateway.metrics import Metrics
from gateway.refusals import Refusals
from gateway.snapshot import Snapshots
from gateway.upstream import UpstreamClient
from gateway.watch import PolicyWatch

AGAIN_AFTER_S = 1.0

log = structlog.get_logger("gateway.plane")


@dataclass(slots=True, kw_only=True)
class Plane:
    """The data plane's services. `open` it in the event loop that serves; `close` lets go of everything."""

    snapshots: Snapshots
    ledger: Ledger
    refusals: Refusals
    upstream: UpstreamClient
    bridge: Bridge
    watch: PolicyWatch
    status_of: Callable[[BaseException], int]
    failed_keys: FailedKeys
    known_ids: KnownIds
    hammering: Hammering = field(default_factory=Hammering)
    metrics: Metrics = field(default_factory=Metrics)
    in_flight: int = 0
    draining: bool = False
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        *,
        main: Mapping[str, Any],
        ledger: Mapping[str, Any],
        listen: bool,
        status_of: Callable[[BaseException], int],
    ) -> "Plane":
        """A plane over those databases (libpq parameters)."""
        bridge = Bridge()
        snapshots = Snapshots(
            load_principal=lambda public_id: bridge.run(lambda: compile.principal(public_id)),
            load_routes=lambda: bridge.run(compile.route_table),
        )
        client = Ledger(ledger)
        return cls(
            snapshots=snapshots,
            ledger=client,
            refusals=Refusals(client),
            upstream=UpstreamClient(),
            bridge=bridge,
            watch=PolicyWatch(snapshots, main, listen=listen),
            status_of=status_of,
            failed_keys=FailedKeys(settings.FAILED_KEYS_PER_MINUTE),
            known_ids=KnownIds(lambda public_ids: bridge.run(lambda: compile.known_ids(public_ids))),
        )

    def start(self) -> None:
        self.ledger.start()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(_forever(work)) for work in (self.watch.run, self.refusals.run)]

    async def close(self) -> None:
        """Hands what is left to the ledger, then lets go of connections and threads."""
        self.draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.refusals.flush()
        await self.ledger.close()
        await self.upstream.close()
        self.bridge.close()


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` until cancelled; should it ever end, it is begun again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("a background task failed")
        await asyncio.sleep(AGAIN_AFTER_S)
