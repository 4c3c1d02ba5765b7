"""The yardstick: a raw ASGI application that reads the body, makes one upstream call and sends the answer.

It calls upstreams exactly as `gateway/upstream.py` does, and does nothing else that a gateway is for.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UPSTREAMS = "FORWARDER_UPSTREAMS"
"""Variable with what to forward where: `/path=http://…`, separated by spaces."""

_HEADERS = {"content-type": "application/json", "authorization": "Bearer forwarder"}
_TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=5, sock_read=120)
_urls = dict(entry.split("=", 1) for entry in os.environ.get(UPSTREAMS, "").split())
_sessions: list[aiohttp.ClientSession] = []


async def application(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await _forward(_urls[scope["path"]], receive, send)


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    _sessions.append(_session())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _sessions.pop().close()
    await send({"type": "lifespan.shutdown.complete"})


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=2**18,
    )


async def _forward(url: str, receive: Receive, send: Send) -> None:
    body = await _read(receive)
    async with _sessions[0].post(url, data=body, headers=_HEADERS, timeout=_TIMEOUT, allow_redirects=False) as response:
        if response.content_type == "text/event-stream":
            await _send_stream(response, send)
        else:
            await _send_whole(response, send)


async def _read(receive: Receive) -> bytes:
    pieces = bytearray()
    more = True
    while more:
        message = await receive()
        pieces += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(pieces)


async def _send_whole(response: aiohttp.ClientResponse, send: Send) -> None:
    body = await response.read()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_stream(response: aiohttp.ClientResponse, send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async for piece in response.content.iter_any():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
