"""Counts refusals, so that each is on record and a client that hammers costs one row a second, not one a request.

What was counted and not yet handed to the ledger is lost when the process is killed: at most a second's refusals, of
which nothing was sent and nothing cost anything.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.ledger import Ledger
from gateway.principal import Principal

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Kind:
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
    requests: int = 1


class Refusals:
    """Refusals of known keys, flushed to the ledger each second. Those of unknown keys are in logs only."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._counts: dict[_Kind, _Count] = {}

    def count(self, principal: Principal, *, request_id: str, model: str, code: str, status: int) -> None:
        kind = _Kind(
            principal.tenant_id, principal.application_id, principal.key_id, principal.environment, model, code, status
        )
        count = self._counts.get(kind)
        if count is None:
            self._counts[kind] = _Count(request_id, datetime.now(UTC).isoformat())
        else:
            count.requests += 1

    def flush(self) -> None:
        counts, self._counts = self._counts, {}
        for kind, count in counts.items():
            fields = {name: getattr(kind, name) for name in _Kind.__slots__}
            numbers = {"request_id": count.request_id, "at": count.at, "requests": count.requests}
            self._ledger.note({**fields, **numbers, "outcome": "refused"})

    async def run(self) -> None:
        """Flushes each second until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.flush()
