"""Runs stories in a world of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from django.db import connections

from config.asgi import libpq_params
from tests import factories
from tests.integration.data.ledger_story import Params, tenant_ids
from tests.integration.data.world import World, a_world
from tests.system.processes import eventually, free_port

T = TypeVar("T")


@pytest.fixture
def story(databases: None) -> Callable[[Callable[[World], Awaitable[T]]], T]:
    """Runs a coroutine function with a world of its own."""
    port = free_port()
    impatient = factories.a_provider(f"http://127.0.0.1:{port}/v1", connect_timeout_ms=500, total_timeout_ms=1500)
    model = factories.a_model(impatient)
    tenant = factories.a_tenant()
    _, secret = factories.a_key(tenant=tenant)

    def run(tell: Callable[[World], Awaitable[T]]) -> T:
        async def told() -> T:
            async with a_world(tenant, secret, port, model.name) as world:
                return await tell(world)

        before = connections_taken()
        result = asyncio.run(told())
        eventually(lambda: connections_taken() == before)  # one that is never given back is missed by another test
        return result

    return run


def connections_taken() -> dict[str, int]:
    """How many connections of each database somebody has that did not give them back yet."""
    stats = {alias: connections[alias].pool.get_stats() for alias in connections}  # type: ignore[attr-defined]
    return {alias: of["pool_size"] - of["pool_available"] for alias, of in stats.items()}


@pytest.fixture(scope="session")
def params(databases: None) -> Params:
    """How to connect to the ledger."""
    return libpq_params("ledger")


@pytest.fixture
def tenant() -> int:
    """The id of a tenant that no other test uses, and of which only the ledger knows."""
    return next(tenant_ids)
