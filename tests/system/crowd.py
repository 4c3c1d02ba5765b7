"""Many callers at once."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import aiohttp

from tests.system.clients import PATH, Caller

T = TypeVar("T")

BROKEN = 0
"""In place of a status: the connection broke before there was one, or before the answer was complete."""


class Asked(NamedTuple):
    caller: Caller
    body: dict[str, Any]


async def ask(requests: Sequence[Asked], *, at_once: int) -> list[int]:
    """Sends `requests`, so many at once, and reads every answer to its end; returns the status of each."""
    work = iter(enumerate(requests))
    statuses = [BROKEN] * len(requests)

    async def one_after_another(session: aiohttp.ClientSession) -> None:
        for number, asked in work:
            statuses[number] = await _status(session, asked)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one_after_another(session) for _ in range(at_once)))
    return statuses


async def ask_until(event: Callable[[], T], requests: Sequence[Asked], *, at_once: int) -> tuple[list[int], T]:
    """As `ask`, while `event` happens; returns also what that does."""
    asking = asyncio.create_task(ask(requests, at_once=at_once))
    happened = await asyncio.to_thread(event)
    return await asking, happened


async def _status(session: aiohttp.ClientSession, asked: Asked) -> int:
    url = f"{asked.caller.gateway.url}{PATH}"
    try:
        async with session.post(url, json=asked.body, headers=asked.caller.authorization) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, OSError):
        return BROKEN
