"""Whether the process lives, and whether it should get requests. No key is needed."""

import asyncio
import gc

import msgspec
import psycopg
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from gateway import memory
from gateway.errors import Unavailable, WrongMethod
from gateway.plane import Plane

READY_WITHIN_S = 2.0


async def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as the event loop turns."""
    _only_get(request)
    return HttpResponse(b'{"status":"ok"}', content_type="application/json")


async def readyz(request: HttpRequest) -> HttpResponse:
    """200 when both databases answer, all migrations are applied, policy is confirmed and nothing is draining; else
    503, and the body says which of these fails."""
    _only_get(request)
    failing = await _failing(request.front.plane)  # type: ignore[attr-defined]
    body = msgspec.json.encode({"status": "unavailable" if failing else "ok", "failing": failing})
    return HttpResponse(body, status=503 if failing else 200, content_type="application/json")


def _only_get(request: HttpRequest) -> None:
    if request.method != "GET":
        raise WrongMethod("Probes answer GET only.", allowed=("GET",))


async def _failing(plane: Plane) -> list[str]:
    if plane.draining:
        return ["draining"]
    checks = {
        "ledger": plane.ledger.ping(),
        "database": plane.bridge.run(_require_migrated),
        "policy": plane.snapshots.routes(),
    }
    results = await asyncio.gather(*(_passes(check) for check in checks.values()))
    return [name for name, passed in zip(checks, results, strict=True) if not passed]


async def _passes(check: object) -> bool:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await check  # type: ignore[misc]
    except (psycopg.Error, TimeoutError, Unavailable, _NotReady):
        return False
    return True


class _NotReady(Exception):
    """A database cannot be reached, or misses migrations."""


_migrated: set[str] = set()
"""Databases that were seen with every migration applied; from then on reaching them is enough."""


def _require_migrated() -> None:
    from django.db import Error

    try:
        for alias, app in (("default", None), ("ledger", "ledger")):
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
            if alias not in _migrated:
                executor = MigrationExecutor(connections[alias])
                if executor.migration_plan(executor.loader.graph.leaf_nodes(app)):
                    raise _NotReady
                _migrated.add(alias)
                del executor
                gc.collect()  # a graph of migrations is made of cycles: 2 MB, which would stay for long
                memory.give_back()
    except (Error, psycopg.Error) as error:
        raise _NotReady from error
