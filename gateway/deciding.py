"""Puts on record what guards decided: in batches, after the answers went out, and bounded in memory.

Of one request, what a guard found of one kind from one side counts together. What waits when the process is killed is
lost, half a second's at most; in logs it stands all the same.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import structlog

from gateway.batches import Caller, Cursor, Params
from gateway.exchange import Exchange
from gateway.guards.verdicts import Outcome
from gateway.ids import new_id

EVERY_S = 0.5
BATCH_MOST = 1_000
WAITING_MOST = 100_000
"""Beyond it, the database has not answered for long."""

_STORE = "SELECT store_guard_decisions(%s::jsonb)"
_LOST = (psycopg.OperationalError, psycopg.InterfaceError, OSError)
_encode = msgspec.json.Encoder().encode

Row = dict[str, Any]

log = structlog.get_logger("gateway.deciding")


class Decisions:
    """The writer. `lost` are decisions that could not be put on record."""

    def __init__(self, main: Params) -> None:
        self._call = Caller(main, _store)
        self._waiting: deque[Row] = deque()
        self._writing = asyncio.Lock()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def hand_over(self, exchange: Exchange) -> None:
        """Takes what the guards of a request decided, when it has ended. Does not wait."""
        if not exchange.guard_outcomes:
            return
        rows = rows_of(exchange)
        if len(self._waiting) + len(rows) > WAITING_MOST:
            self.lost += len(rows)
        else:
            self._waiting.extend(rows)

    async def flush(self) -> None:
        """Writes all that waits; keeps it where the database cannot be reached."""
        async with self._writing:
            while self._waiting and await self._flushed():
                pass

    async def _flushed(self) -> bool:
        """Writes the next batch; tells whether that was possible."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MOST))]
        try:
            await self._deliver(batch)
        except _LOST as error:
            self._waiting.extendleft(reversed(batch))
            log.warning("decisions of guards wait to be stored", error=type(error).__name__, count=len(self))
            return False
        except BaseException:  # cancelled: sent again, they add nothing
            self._waiting.extendleft(reversed(batch))
            raise
        return True

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def close(self) -> None:
        """Writes what is left, if that is possible right now."""
        await self.flush()
        self.lost += len(self._waiting)
        await self._call.disconnect()

    async def _deliver(self, batch: Sequence[Row]) -> None:
        """One that the database does not take must not take its whole batch with it."""
        try:
            await self._call(list(batch))
        except _LOST:
            raise
        except psycopg.Error as error:
            if len(batch) == 1:
                self.lost += 1
                log.error("a decision of a guard was not accepted", error=type(error).__name__)
                return
            for row in batch:
                await self._deliver([row])


def rows_of(exchange: Exchange) -> list[Row]:
    """What is put on record of an exchange."""
    principal = exchange.principal
    about = {
        "request_id": exchange.request_id,
        "at": datetime.now(UTC).isoformat(),
        "tenant_id": principal.tenant_id,
        "application_id": principal.application_id,
        "api_key_id": principal.key_id,
        "environment": principal.environment,
        "model": exchange.model.name if exchange.model else "",
        "surrogate": exchange.end_user,
        "policy_id": principal.guarding.policy_id if principal.guarding else 0,
    }
    return [{"id": new_id(), **about, **each} for each in together(exchange.guard_outcomes)]


def together(outcomes: Sequence[Outcome]) -> list[Row]:
    """Outcomes that differ only in their place, as one with the sum of their counts and the highest score.

    What has no place is about the whole of a request or an answer, and from nobody in particular.
    """
    found: dict[tuple[Any, ...], Row] = {}
    for each in outcomes:
        role = each.role if each.place else ""
        kind = (each.guard, each.rule, each.action, each.direction, role, each.error)
        row = found.get(kind)
        if row is None:
            found[kind] = {
                "guard": each.guard,
                "rule": each.rule,
                "action": int(each.action),
                "direction": each.direction,
                "role": role,
                "count": max(each.count, 1),
                "score": each.score,
                "error": each.error,
            }
        else:
            row["count"] += max(each.count, 1)
            row["score"] = max(row["score"], each.score)
    return list(found.values())


async def _store(cursor: Cursor, rows: list[Row]) -> list[None]:
    await cursor.execute(_STORE, (_encode(rows).decode(),))
    return [None] * len(rows)
