"""A data plane as an ASGI application, with a sandbox upstream and a tenant, in one event loop."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from django.db import connections

from accounts.models import Tenant
from config.asgi import libpq_params
from gateway.deciding import Row, rows_of
from gateway.errors import Unavailable
from gateway.exchange import Exchange
from gateway.http.asgi import DataPlane
from gateway.http.problems import status_of
from gateway.plane import Plane
from gateway.sandbox.app import Options, create_app

T = TypeVar("T")
Message = dict[str, Any]
Story = Callable[[Callable[["World"], Awaitable[None]]], None]


@dataclass
class World:
    """A data plane, a sandbox upstream and a tenant with a key, all in one event loop.

    `decided`: what guards decided so far, as it is put on record.
    """

    app: DataPlane
    plane: Plane
    sandbox_url: str
    model: str
    tenant: Tenant
    secret: str = field(repr=False)
    decided: list[Row] = field(default_factory=list)

    def request(self, *, path: str = "/v1/chat/completions", **fields: Any) -> "Client":
        body = {"model": self.model, "messages": [{"role": "user", "content": "Hello"}], **fields}
        return Client(self, path, json.dumps(body).encode())

    async def upstream_requests(self) -> list[dict[str, Any]]:
        """The upstream's records of its requests, oldest first."""

        def read() -> Any:
            with urllib.request.urlopen(f"{self.sandbox_url}/_sandbox/requests") as answer:
                return json.load(answer)

        return list(await asyncio.to_thread(read))

    async def upstream_bodies(self) -> list[dict[str, Any]]:
        """What reached the upstream, oldest first."""
        return [record["body"] for record in await self.upstream_requests()]


async def there(work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Runs what uses the ORM in a thread, and gives its connections back."""

    def and_close() -> T:
        try:
            return work(*arguments, **named)
        finally:
            connections.close_all()

    return await asyncio.to_thread(and_close)


class Client:
    """One request, sent from `address` with `secret` as its key and `extra` headers.

    `leave` and `before_sending` decide how it behaves; `sent` is what it received.
    """

    def __init__(self, world: World, path: str, body: bytes) -> None:
        self._world = world
        self._path = path
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.address = "127.0.0.1"
        self.secret = world.secret
        self.method = "POST"
        self.extra: dict[str, str] = {}
        self.sent: list[Message] = []
        self.before_sending: Callable[[Message], Awaitable[None]] | None = None

    async def run(self) -> None:
        scope = {
            "type": "http",
            "method": self.method,
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": b"",
            "headers": [
                (b"authorization", f"Bearer {self.secret}".encode()),
                *((name.encode(), value.encode()) for name, value in self.extra.items()),
            ],
            "client": (self.address, 1234),
            "server": ("127.0.0.1", 80),
            "scheme": "http",
            "http_version": "1.1",
        }
        async with asyncio.timeout(20):
            await self._world.app(scope, self._incoming.get, self._send)

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def code(self) -> str:
        """The error's code."""
        return str(json.loads(self.body)["error"]["code"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def request_id(self) -> str:
        return self.headers[b"x-request-id"].decode()

    async def _send(self, message: Message) -> None:
        if self.before_sending is not None:
            await self.before_sending(message)
        self.sent.append(message)


@asynccontextmanager
async def a_world(tenant: Tenant, secret: str, port: int, model: str) -> AsyncIterator[World]:
    runner = web.AppRunner(
        create_app(Options(record_bodies=True)), handler_cancellation=True, access_log=None, shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    main, ledger, keys = [libpq_params(name) for name in ("default", "ledger", "keys")]
    plane = Plane.make(main=main, ledger=ledger, keys=keys, listen=True, status_of=status_of)
    plane.start()
    app = DataPlane()
    app.plane = plane
    while not await _ready(plane):
        await asyncio.sleep(0.01)
    world = World(app, plane, f"http://127.0.0.1:{port}", model, tenant, secret)
    hand_over = plane.decisions.hand_over

    def noted(exchange: Exchange) -> None:
        world.decided += rows_of(exchange)
        hand_over(exchange)

    plane.decisions.hand_over = noted  # type: ignore[method-assign]
    try:
        yield world
    finally:
        await plane.close()
        await runner.cleanup()


async def _ready(plane: Plane) -> bool:
    try:
        return bool((await plane.snapshots.routes()).models)
    except Unavailable:
        return False
