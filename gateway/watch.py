"""Keeps snapshots true: listens for notified changes, and twice a second compares revisions all the same.

Of changes of people it only listens: what is kept of those is never kept for long.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import psycopg
import structlog

from gateway.granted import Granted
from gateway.snapshot import Snapshots
from gateway.subjects import Subjects

CHANNEL = "portcullis_policy"
SUBJECTS_CHANNEL = "portcullis_subjects"
EVERY_S = 0.4
READ_TIMEOUT_S = 2.0

log = structlog.get_logger("gateway.watch")


class PolicyWatch:
    """One connection of its own to the main database. Runs until cancelled; a lost connection is made anew."""

    def __init__(
        self,
        snapshots: Snapshots,
        subjects: Subjects,
        granted: Granted,
        connection_params: Mapping[str, Any],
        *,
        listen: bool,
    ) -> None:
        self._snapshots = snapshots
        self._subjects = subjects
        self._granted = granted
        self._params = connection_params
        self._listen = listen

    async def run(self) -> None:
        while True:
            try:
                await self._watch()
            except Exception as error:  # whatever it is: without this watch, nothing would be served any more
                log.warning("policy watch failed", error=type(error).__name__)
                await asyncio.sleep(EVERY_S)

    async def _watch(self) -> None:
        async with asyncio.timeout(READ_TIMEOUT_S):
            connection = await psycopg.AsyncConnection.connect(**self._params, autocommit=True)
        async with connection:
            if self._listen:
                await connection.execute(f"LISTEN {CHANNEL}")
                await connection.execute(f"LISTEN {SUBJECTS_CHANNEL}")
                self._subjects.forget_all()  # what was notified before is lost
                self._granted.forget()
            while True:
                await self._compare(connection)
                await self._wait(connection)

    async def _wait(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Takes notifications for a while, and those that came in before."""
        if not self._listen:
            await asyncio.sleep(EVERY_S)
            return
        until = time.monotonic() + EVERY_S
        while (left := until - time.monotonic()) > 0:
            async for notification in connection.notifies(timeout=left, stop_after=1):
                self._changed(notification)

    def _changed(self, notification: psycopg.Notify) -> None:
        if notification.channel == SUBJECTS_CHANNEL:
            self._person_changed(notification.payload)
        elif notification.payload.isdecimal():
            self._snapshots.drop(int(notification.payload))
        else:  # `all`, or what somebody else sent
            self._snapshots.drop_all()

    def _person_changed(self, payload: str) -> None:
        self._granted.forget()
        tenant, _, lookup = payload.partition("/")
        if tenant.isdecimal() and lookup:
            self._subjects.forget(int(tenant), lookup)
        else:  # `all`, or what somebody else sent
            self._subjects.forget_all()

    async def _compare(self, connection: psycopg.AsyncConnection[Any]) -> None:
        at = time.monotonic()
        scopes = list(self._snapshots.revisions())
        async with asyncio.timeout(READ_TIMEOUT_S):
            cursor = await connection.execute(
                "SELECT scope, revision FROM gateway_policyrevision WHERE scope = ANY(%s)", [scopes]
            )
            rows = await cursor.fetchall()
        self._snapshots.confirm(dict(rows), at=at)
