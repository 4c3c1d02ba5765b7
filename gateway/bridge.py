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
    """Runs plain functions that use the ORM, in at most `threads` threads."""

    def __init__(self, *, threads: int = 4) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="bridge")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, which gets its own connection and gives it back."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._executor, _with_connection, work))

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _with_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()
