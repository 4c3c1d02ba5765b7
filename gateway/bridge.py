"""The only door between the event loop and the ORM: a few threads, each unit of work its own short use of a connection.

A unit that has begun is finished even when the request that wanted it is gone, so a connection is never left half-used.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


class Bridge:
    """Runs plain functions that use the ORM, in at most `threads` threads. One that `keeps` has a single thread, which
    holds on to its connections for as long as nothing fails: for what comes all the time."""

    def __init__(self, *, threads: int = 4, keeps: bool = False) -> None:
        self._executor = ThreadPoolExecutor(1 if keeps else threads, thread_name_prefix="bridge")
        self._keeps = keeps

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, which gets its own connection and gives it back."""
        loop = asyncio.get_running_loop()
        around = _keeping_connection if self._keeps else _with_connection
        return await asyncio.shield(loop.run_in_executor(self._executor, around, work))

    def close(self) -> None:
        if self._keeps:
            self._executor.submit(connections.close_all).result()
        self._executor.shutdown(wait=True, cancel_futures=True)


def _keeping_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    except BaseException:
        connections.close_all()
        raise


def _with_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()
