"""Limits of what the control plane reads of a request's body: Django itself spools whatever comes, however slowly."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

GONE: Message = {"type": "http.disconnect"}


class LimitedBody:
    """A `receive` that ends as if the client had left when its body is too large or too slow.

    `status` is what to answer then: 413 or 408.
    """

    def __init__(self, receive: Receive, *, most_bytes: int, within_s: float) -> None:
        self.status: int | None = None
        self._receive = receive
        self._left_bytes = most_bytes
        self._deadline = asyncio.get_running_loop().time() + within_s
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            return self._gone(408)
        self._left_bytes -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message if self._left_bytes >= 0 else self._gone(413)

    def _gone(self, status: int) -> Message:
        self.status = status
        return GONE


async def serve(
    application: Application, scope: Any, receive: Receive, send: Send, *, most_bytes: int, within_s: float
) -> None:
    """Serves one request by `application`, within those limits."""
    body = LimitedBody(receive, most_bytes=most_bytes, within_s=within_s)
    await application(scope, body, send)
    if body.status is not None:
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": body.status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
