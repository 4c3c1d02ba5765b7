"""One application, two planes: `/v1/*`, `/metrics` and the probes go to the data plane, everything else to Django.

`PLANE=data` or `PLANE=control` serves only one of them. The probes answer on both.
"""

import asyncio
import os
import signal
from types import FrameType
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django.setup(set_prefix=False)

import structlog  # noqa: E402 - after Django has configured logging
from django.conf import settings  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.db import connections  # noqa: E402

from config.env import env, generated_secrets  # noqa: E402
from config.limits import serve  # noqa: E402
from gateway import memory  # noqa: E402
from gateway.guards.defaults import default_guarding  # noqa: E402
from gateway.guards.engine import engine_of  # noqa: E402
from gateway.http.asgi import DataPlane  # noqa: E402
from gateway.http.problems import status_of  # noqa: E402
from gateway.plane import Plane  # noqa: E402
from gateway.produced import ESTIMATED_WITH  # noqa: E402
from gateway.tokens import tokenizer  # noqa: E402

log = structlog.get_logger("config.asgi")

_PLANE: str = settings.PLANE
_PROBES = ("/livez", "/readyz")
_NOT_LIBPQ = {"client_encoding", "context", "cursor_factory", "pool", "prepare_threshold"}
"""What Django's own backend adds to the parameters of a connection."""

_data_plane = DataPlane()
_django = get_asgi_application() if _PLANE != "data" else None
"""Django with its middleware and its static files, which the data plane does without."""


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http":
        plane = _data_plane if _is_data(scope["path"]) else _control_plane
        await plane(scope, receive, send)


def _is_data(path: str) -> bool:
    if _PLANE == "data" or path in _PROBES:
        return True
    return _PLANE == "all" and (path.startswith("/v1/") or path == "/metrics")


async def _control_plane(scope: Any, receive: Any, send: Any) -> None:
    assert _django is not None
    limits = {"most_bytes": settings.BODY_LIMIT_BYTES, "within_s": settings.BODY_TIMEOUT_S}
    await serve(_django, scope, receive, send, **limits)


async def _live(receive: Any, send: Any) -> None:
    """Opens the plane when the server starts, and closes it when it stops."""
    await receive()
    plane = await open_plane()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    _data_plane.plane = None
    await plane.close()
    await send({"type": "lifespan.shutdown.complete"})


async def open_plane() -> Plane:
    """Connects the data plane to its databases, and begins to serve."""
    main, ledger, keys = await asyncio.to_thread(lambda: [libpq_params(name) for name in ("default", "ledger", "keys")])
    main["application_name"], ledger["application_name"] = "portcullis gateway policy", "portcullis gateway ledger"
    await asyncio.to_thread(tokenizer, ESTIMATED_WITH)  # or the first request would wait for it
    await asyncio.to_thread(engine_of(default_guarding()).prepare)  # the same
    plane = Plane.make(main=main, ledger=ledger, keys=keys, listen=settings.POLICY_NOTIFICATIONS, status_of=status_of)
    plane.start()
    _data_plane.plane = plane
    memory.settle_in()
    _drain_on_sigterm(plane)
    _warn_of_own_secrets()
    return plane


def _warn_of_own_secrets() -> None:
    """With a database that other hosts may share, secrets that only this one knows make its keys useless to them."""
    if env.str("DATABASE_URL", default="") and (names := generated_secrets()):
        log.warning("secrets were generated on this host: set SECRET_KEY, KEY_PEPPERS and ROOT_KEYS", count=len(names))


def libpq_params(alias: str) -> dict[str, Any]:
    """How to reach a database without Django; starts the embedded server if that is where it is."""
    params = connections[alias].get_connection_params()
    return {name: value for name, value in params.items() if name not in _NOT_LIBPQ and value is not None}


def _drain_on_sigterm(plane: Plane) -> None:
    """Fails the readiness probe from SIGTERM on, and lets the server's own handler do the rest."""
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        plane.draining = True
        if callable(before):
            before(number, frame)

    try:
        signal.signal(signal.SIGTERM, handle)
    except ValueError:
        log.debug("not in the main thread: draining begins with the end of the server")
