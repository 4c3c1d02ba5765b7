"""Limits of what the control plane reads of a request's body: Django itself spools whatever comes, however slowly."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

GONE: Message = {"type": "http.disconnect"}


def limited(receive: Receive, *, most_bytes: int, within_s: float) -> Receive:
    """`receive`, which ends as if the client had left when the body is larger than `most_bytes`, or slower than
    `within_s` seconds."""
    received = 0
    complete = False
    deadline = asyncio.get_running_loop().time() + within_s

    async def limited_receive() -> Message:
        nonlocal received, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            return GONE
        received += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        return message if received <= most_bytes else GONE

    return limited_receive
