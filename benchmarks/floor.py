"""The floor: a raw ASGI application that reads the body and sends one fixed answer.

What it costs is the server's own share of any answer: nothing that an application does can be cheaper.
"""

import os
from typing import Any

import msgspec

from benchmarks.forwarder import Message, Receive, Send

ANSWER = "FLOOR_ANSWER"
"""Variable with what to answer: a `Fixed`, as JSON."""


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, as a client got it from the gateway."""

    status: int
    headers: list[tuple[str, str]]
    body: str


_answer: list[Message] = []


async def application(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    while (await receive()).get("more_body", False):
        pass
    for message in _answer:
        await send(message)


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    _answer.extend(_messages(msgspec.json.decode(os.environ[ANSWER], type=Fixed)))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _messages(fixed: Fixed) -> tuple[Message, Message]:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in fixed.headers]
    head = {"type": "http.response.start", "status": fixed.status, "headers": headers}
    return head, {"type": "http.response.body", "body": fixed.body.encode()}
