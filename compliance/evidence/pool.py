"""Verifies the slices of a log, by this process or, where there are many, by several at once; results come in order."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import psycopg
from django.db import connection

from compliance.evidence import slices
from compliance.evidence.slices import Log, Verified

WORTH_IT = 50_000
"""Events from which on a second process is worth its start."""
AHEAD = 3
"""Slices per process that may be under way or wait to be taken: what bounds memory."""
NAMED = ("host", "hostaddr", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey")

_own: psycopg.Connection[Any] | None = None


def fetch(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Reads with this process's connection."""
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


class Pool:
    """Verifies slices; made by `pool`."""

    def __init__(self, executor: ProcessPoolExecutor | None, workers: int) -> None:
        self._executor, self._most = executor, workers * AHEAD

    def verified(self, log: Log, *, since: int = 0) -> Iterator[Verified]:
        """All slices of a log from a multiple of 256 on, in order."""
        ranges = slices.slices_of(log, since=since)
        if self._executor is None:
            yield from (slices.verify(log, first, until, fetch) for first, until in ranges)
            return
        ahead: deque[Future[Verified]] = deque()
        for first, until in ranges:
            ahead.append(self._executor.submit(_verify, log, first, until))
            if len(ahead) >= self._most:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@contextmanager
def pool(*, events: int, processes: int | None = None) -> Iterator[Pool]:
    """As many processes as there are processors, if there are so many events; none besides this one otherwise."""
    workers = processes if processes is not None else (len(os.sched_getaffinity(0)) if events >= WORTH_IT else 1)
    if workers <= 1:
        yield Pool(None, 1)
        return
    params = {name: value for name, value in connection.get_connection_params().items() if name in NAMED}
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_connect, initargs=(params,)
    ) as executor:
        try:
            yield Pool(executor, workers)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _connect(params: dict[str, Any]) -> None:
    global _own
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _own = psycopg.connect(**params, autocommit=True, application_name="portcullis verifies")


def _end_with(parent: int) -> None:
    """A process whose parent was killed would wait for slices for ever."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _verify(log: Log, first: int, until: int) -> Verified:
    return slices.verify(log, first, until, _fetch)


def _fetch(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    assert _own is not None
    return _own.execute(text.encode(), values).fetchall()
