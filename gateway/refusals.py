"""Counts refusals, so that each is on record and a client that hammers costs one row a second, not one a request.

What was counted and not yet handed to the ledger is lost when the process is killed: at most a second's refusals, of
which nothing was sent and nothing cost anything.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import structlog

from gateway.ledger import Ledger
from gateway.principal import Principal

EVERY_S = 1.0

log = structlog.get_logger("gateway.refusals")


class _Kind(msgspec.Struct, frozen=True):
    """What refusals must share to be counted together."""

    tenant_id: int
    application_id: int
    api_key_id: int
    environment: str
    model: str
    code: str
    status: int


@dataclass(slots=True)
class _Count:
    request_id: str
    at: str
    requests: int = 0
    unlogged: int = 0


class Refusals:
    """Refusals of known keys, flushed to the ledger each second. Those of unknown keys are in logs only."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._counts: dict[_Kind, _Count] = {}

    def count(
        self, principal: Principal, *, request_id: str, model: str, code: str, status: int, logged: bool = True
    ) -> None:
        """Adds one. Of those that are not `logged` by themselves, one line a second tells how many they were."""
        kind = _Kind(
            principal.tenant_id, principal.application_id, principal.key_id, principal.environment, model, code, status
        )
        count = self._counts.get(kind)
        if count is None:
            count = self._counts[kind] = _Count(request_id, datetime.now(UTC).isoformat())
        count.requests += 1
        if not logged:
            count.unlogged += 1

    def flush(self) -> None:
        counts, self._counts = self._counts, {}
        for kind, count in counts.items():
            numbers = {"request_id": count.request_id, "at": count.at, "requests": count.requests}
            self._ledger.note({**msgspec.structs.asdict(kind), **numbers, "outcome": "refused"})
            if count.unlogged:
                _log(kind, count)

    async def run(self) -> None:
        """Flushes each second until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.flush()


def _log(kind: _Kind, count: _Count) -> None:
    log.info(
        "requests refused again",
        request_id=count.request_id,
        tenant_id=kind.tenant_id,
        application_id=kind.application_id,
        code=kind.code,
        status=kind.status,
        requests=count.unlogged,
    )
