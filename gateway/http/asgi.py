"""The data plane's front: Django's ASGI handler without middleware, thread hops and signals.

Refuses what needs no body first, reads the body within its limits, lets a view answer, and sends that. A client that
leaves cancels the view, or the stream, at once.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from io import BytesIO
from typing import Any

import structlog
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http.response import HttpResponse, HttpResponseBase
from django.urls import Resolver404, get_resolver

from accounts import tokens
from accounts.tokens import Token
from config.addresses import client_address, networks
from gateway.errors import InvalidKey, InvalidRequest, NotFound, Refusal, TooLarge, TooSlow, Unavailable
from gateway.http import hammered
from gateway.http.base import Front, recognise, refused
from gateway.http.problems import problem_of
from gateway.http.sse import EventStream
from gateway.ids import new_id
from gateway.plane import Plane

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[bytes, bytes]

_LIMITED = frozenset({"/v1/chat/completions"})
"""Paths whose requests are charged to the key's rates."""

_TRUSTED = networks(settings.TRUSTED_PROXIES)
_BEARER = re.compile(rb"bearer +(\S+)\s*", re.IGNORECASE)

log = structlog.get_logger("gateway.http")


class ClientLeft(Exception):
    """Nobody is there any more to answer."""


class DataPlane(ASGIHandler):
    """Serves `/v1/*` and the probes. `plane` is set between the start-up and the end of the process."""

    def __init__(self) -> None:
        super().__init__()
        self.plane: Plane | None = None
        self._resolver = get_resolver("gateway.http.urls")

    def load_middleware(self, is_async: bool = False) -> None:
        """None: what middleware does elsewhere, `AsyncView` and this front do here."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request_id = new_id()
        plane = self.plane
        try:
            if plane is None:
                raise Unavailable("The gateway is starting. Retry in a moment.")
            plane.in_flight += 1
            try:
                await self._serve(scope, receive, send, request_id=request_id, plane=plane)
            finally:
                plane.in_flight -= 1
        except ClientLeft:
            pass
        except Refusal as error:
            if plane is not None:
                plane.metrics.refused(error.code)
            log.info("refused", request_id=request_id, code=error.code, path=scope["path"][:100])
            await _send_whole(send, refused(error, {}), request_id)
        except Exception as error:
            if plane is not None:
                plane.metrics.faults += 1
            log.exception("request failed", request_id=request_id)
            await _send_whole(send, _failed(error), request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, request_id: str, plane: Plane) -> None:
        headers: Headers = dict(scope["headers"])
        front = Front(plane=plane, request_id=request_id, address=_address(scope, headers))
        if not scope["path"].startswith("/v1/"):
            await _send_whole(send, await self._answer(scope, front), request_id)
            return
        front.token = _check_front(headers, plane)
        front.principal = await recognise(front.token, plane, address=front.address)
        front.body = await _read_body(receive)
        spent = plane.hammering.spent(front.principal)
        if spent is not None and scope["path"] in _LIMITED and front.principal.may_come_from(front.address):
            answer = hammered.answer(spent, front)
            await _send_raw(send, answer.status, answer.headers, answer.body, request_id)
            return
        async with _Listening(receive):
            response = await self._answer(scope, front)
            if isinstance(response, EventStream):
                await _send_stream(send, response, front)
            else:
                await _send_whole(send, response, request_id)

    async def _answer(self, scope: Scope, front: Front) -> HttpResponseBase:
        request: Any = ASGIRequest(scope, BytesIO())
        request.front = front
        try:
            match = self._resolver.resolve(request.path_info)
        except Resolver404:
            raise NotFound(f"Invalid URL ({request.method} {request.path_info[:200]}).") from None
        return await match.func(request, *match.args, **match.kwargs)  # type: ignore[no-any-return]


class _Listening:
    """While inside, a client that leaves cancels the task; outside again, that has become `ClientLeft`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        self._gone = asyncio.ensure_future(self._receive())
        self._gone.add_done_callback(self._cancel)

    def _cancel(self, gone: "asyncio.Future[Message]") -> None:
        if not gone.cancelled() and self._task is not None:
            self._task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._gone.remove_done_callback(self._cancel)
        if not self._gone.done():
            self._gone.cancel()
        elif isinstance(error, asyncio.CancelledError) and self._task is not None:
            self._task.uncancel()
            raise ClientLeft from error


def _check_front(headers: Headers, plane: Plane) -> Token:
    """Refuses what needs neither body nor look-up. Returns the key's text."""
    if plane.in_flight > settings.MAX_IN_FLIGHT:
        raise Unavailable("The gateway is at its limit of requests at once. Retry in a moment.")
    if plane.draining:
        raise Unavailable("The gateway is shutting down. Retry in a moment.")
    token = _token(headers)
    if token is None:
        raise InvalidKey
    if _content_length(headers) > settings.BODY_LIMIT_BYTES:
        raise _too_large()
    return token


def _token(headers: Headers) -> Token | None:
    sent = headers.get(b"authorization")
    match = _BEARER.fullmatch(sent) if sent is not None else None
    text = match[1] if match else headers.get(b"x-api-key", b"").strip()
    return tokens.parse(text.decode("latin-1"))


def _content_length(headers: Headers) -> int:
    text = headers.get(b"content-length", b"0")
    return int(text[:20]) if text.isdigit() else 0


def _too_large() -> TooLarge:
    return TooLarge(f"The body is too large; at most {settings.BODY_LIMIT_BYTES} bytes are read.")


async def _read_body(receive: Receive) -> bytes:
    """The whole body, within its limits of size and time."""
    pieces = bytearray()
    try:
        async with asyncio.timeout(settings.BODY_TIMEOUT_S):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":  # it left, or what it sent cannot be read
                    raise InvalidRequest("The body did not arrive to its end.")
                pieces += message.get("body", b"")
                more = message.get("more_body", False)
                if len(pieces) > settings.BODY_LIMIT_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise TooSlow(f"The body did not arrive within {settings.BODY_TIMEOUT_S} s.") from None
    return bytes(pieces)


def _address(scope: Scope, headers: Headers) -> str:
    peer = scope["client"][0] if scope.get("client") else ""
    if not _TRUSTED:
        return str(peer)
    return client_address(str(peer), headers.get(b"x-forwarded-for", b"").decode("latin-1"), _TRUSTED)


def _start(status: int, headers: list[tuple[bytes, bytes]], request_id: str) -> Message:
    own = request_id.encode()
    ids = ((b"x-request-id", own), (b"request-id", own), (b"x-portcullis-decision", own))
    return {"type": "http.response.start", "status": status, "headers": [*headers, *ids]}


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]


async def _send_whole(send: Send, response: HttpResponseBase, request_id: str) -> None:
    body: bytes = response.content  # type: ignore[attr-defined]
    await _send_raw(send, response.status_code, _headers(response), body, request_id)


async def _send_raw(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes, request_id: str) -> None:
    headers.append((b"content-length", str(len(body)).encode()))
    await send(_start(status, headers, request_id))
    await send({"type": "http.response.body", "body": body})


async def _send_stream(send: Send, response: EventStream, front: Front) -> None:
    front.plane.metrics.streams += 1
    try:
        async with asyncio.timeout(response.within_s), aclosing(response.events()) as events:
            event: bytes | None = await anext(events)  # before anything can go wrong: only what has begun can be ended
            await send(_start(response.status_code, _headers(response), front.request_id))
            while event is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                event = await anext(events, None)
    except TimeoutError:
        raise ClientLeft from None  # it stopped reading
    finally:
        front.plane.metrics.streams -= 1
    await send({"type": "http.response.body", "body": b""})


def _failed(error: Exception) -> HttpResponseBase:
    problem = problem_of(error)
    return HttpResponse(problem.body, status=problem.status, content_type="application/json", headers=problem.headers)
