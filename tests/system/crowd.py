"""Many callers at once."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import aiohttp

from tests.system.clients import PATH, Caller

BROKEN = 0
"""In place of a status: the connection broke before there was one, or before the answer was complete."""

Asked = tuple[Caller, dict[str, Any]]


async def ask(requests: Iterable[Asked], *, at_once: int) -> Counter[int]:
    """Sends `requests`, so many at once, and reads every answer to its end; returns how many had which status."""
    work = iter(requests)
    statuses: Counter[int] = Counter()

    async def one_after_another(session: aiohttp.ClientSession) -> None:
        for caller, body in work:
            statuses[await _status(session, caller, body)] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one_after_another(session) for _ in range(at_once)))
    return statuses


async def _status(session: aiohttp.ClientSession, caller: Caller, body: dict[str, Any]) -> int:
    url = f"{caller.gateway.url}{PATH}"
    try:
        async with session.post(url, json=body, headers=caller.authorization) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, OSError):
        return BROKEN
