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
from django.http.response import HttpResponse
from django.urls import Resolver404, ResolverMatch, get_resolver

from accounts import tokens
from accounts.tokens import Token
from config.addresses import client_address, networks
from gateway.errors import InvalidKey, InvalidRequest, NotFound, Refusal, TooLarge, TooSlow, Unavailable
from gateway.http import answers, hammered
from gateway.http.answers import Answer, Header
from gateway.http.base import Asked, AsyncView, Front, recognise
from gateway.http.deadline import Deadlines
from gateway.http.leaving import ClientLeft, Leaving, Message, Receive
from gateway.http.sse import EventStream
from gateway.http.urls import urlpatterns
from gateway.ids import new_id
from gateway.plane import Plane

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[bytes, bytes]

_LIMITED = frozenset({"/v1/chat/completions", "/v1/moderations"})
"""Paths whose requests are charged to the key's rates."""

MOST_IN_FLIGHT: int = settings.MAX_IN_FLIGHT
BODY_LIMIT_BYTES: int = settings.BODY_LIMIT_BYTES
BODY_TIMEOUT_S: int = settings.BODY_TIMEOUT_S
"""Read once: looking a setting up costs more than looking at the request."""

_TRUSTED = networks(settings.TRUSTED_PROXIES)
_BEARER = re.compile(rb"bearer +(\S+)\s*", re.IGNORECASE)

log = structlog.get_logger("gateway.http")


class DataPlane(ASGIHandler):
    """Serves `/v1/*` and the probes. `plane` is set between the start-up and the end of the process."""

    def __init__(self) -> None:
        super().__init__()
        self.plane: Plane | None = None
        self._reading = Deadlines(BODY_TIMEOUT_S)
        self._leaving = Leaving()
        self._resolver = get_resolver("gateway.http.urls")
        self._views = {f"/{pattern.pattern}": view for pattern in urlpatterns if (view := _view_of(pattern.callback))}

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
            await _send_whole(send, answers.refused(error), request_id)
        except Exception as error:
            if plane is not None:
                plane.metrics.faults += 1
            log.exception("request failed", request_id=request_id)
            await _send_whole(send, answers.refused(error), request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, request_id: str, plane: Plane) -> None:
        headers: Headers = dict(scope["headers"])
        gpc = headers.get(b"sec-gpc") == b"1"
        front = Front(plane=plane, request_id=request_id, address=_address(scope, headers), gpc=gpc)
        if not scope["path"].startswith("/v1/"):
            await _send_whole(send, await self._probed(scope, front), request_id)
            return
        try:
            front.token = _check_front(headers, plane)
            front.principal = await recognise(front.token, plane, address=front.address)
            front.body = await _read_body(receive, self._reading)
        except Refusal as error:
            _count(front, error)
            raise
        spent = plane.hammering.spent(front.principal)
        if spent is not None and scope["path"] in _LIMITED and front.principal.may_come_from(front.address):
            await _send_whole(send, hammered.answer(spent, front), request_id)
            return
        with self._leaving.watch(receive):
            answer = await self._answer(scope, front)
            if isinstance(answer, EventStream):
                await _send_stream(send, answer, front)
            else:
                await _send_whole(send, answer, request_id)

    async def _answer(self, scope: Scope, front: Front) -> Answer | EventStream:
        try:
            view, kwargs = self._view(scope)
        except NotFound as error:
            _count(front, error)
            raise
        return await view().dispatch(Asked(front, scope["method"]), **kwargs)

    def _view(self, scope: Scope) -> tuple[type[AsyncView], dict[str, Any]]:
        """What answers, and with which parts of the path."""
        if (view := self._views.get(scope["path"])) is not None:
            return view, {}
        match = self._resolve(scope)
        if (view := _view_of(match.func)) is None:
            raise _not_found(scope)
        return view, match.kwargs

    async def _probed(self, scope: Scope, front: Front) -> Answer:
        """What a probe answers; those are plain Django views."""
        request: Any = ASGIRequest(scope, BytesIO())
        request.front = front
        response: HttpResponse = await self._resolve(scope).func(request)
        return Answer(response.status_code, answers.raw(dict(response.items())), response.content)

    def _resolve(self, scope: Scope) -> ResolverMatch:
        try:
            return self._resolver.resolve(scope["path"])
        except Resolver404:
            raise _not_found(scope) from None


def _count(front: Front, error: Refusal) -> None:
    """Puts on record what is refused before a view sees it."""
    plane = front.plane
    if front.principal is None:
        plane.strangers.count(front.address, code=error.code)
    else:
        status = plane.status_of(error)
        plane.refusals.count(front.principal, request_id=front.request_id, model="", code=error.code, status=status)


def _not_found(scope: Scope) -> NotFound:
    return NotFound(f"Invalid URL ({scope['method']} {scope['path'][:200]}).")


def _view_of(function: Any) -> type[AsyncView] | None:
    """The class that REST framework's `as_view` has made `function` of; None for a probe."""
    return getattr(function, "cls", None)


def _check_front(headers: Headers, plane: Plane) -> Token:
    """Refuses what needs neither body nor look-up. Returns the key's text."""
    if plane.in_flight > MOST_IN_FLIGHT:
        raise Unavailable("The gateway is at its limit of requests at once. Retry in a moment.")
    if plane.draining:
        raise Unavailable("The gateway is shutting down. Retry in a moment.")
    token = _token(headers)
    if token is None:
        raise InvalidKey
    if _content_length(headers) > BODY_LIMIT_BYTES:
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
    return TooLarge(f"The body is too large; at most {BODY_LIMIT_BYTES} bytes are read.")


async def _read_body(receive: Receive, reading: Deadlines) -> bytes:
    """The whole body, within its limits of size and time."""
    deadline = reading.begin()
    pieces = bytearray()
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":  # it left, or what it sent cannot be read
                raise InvalidRequest("The body did not arrive to its end.")
            pieces += message.get("body", b"")
            more = message.get("more_body", False)
            if len(pieces) > BODY_LIMIT_BYTES:
                raise _too_large()
    except asyncio.CancelledError:
        if deadline.has_cancelled():
            raise TooSlow(f"The body did not arrive within {BODY_TIMEOUT_S} s.") from None
        raise
    finally:
        deadline.lift()
    return bytes(pieces)


def _address(scope: Scope, headers: Headers) -> str:
    peer = scope["client"][0] if scope.get("client") else ""
    if not _TRUSTED:
        return str(peer)
    return client_address(str(peer), headers.get(b"x-forwarded-for", b"").decode("latin-1"), _TRUSTED)


def _start(status: int, headers: list[Header], request_id: str, *further: Header) -> Message:
    own = request_id.encode()
    ids = ((b"x-request-id", own), (b"request-id", own), (b"x-portcullis-decision", own))
    return {"type": "http.response.start", "status": status, "headers": [*headers, *further, *ids]}


async def _send_whole(send: Send, answer: Answer, request_id: str) -> None:
    await send(_start(answer.status, answer.headers, request_id, (b"content-length", b"%d" % len(answer.body))))
    await send({"type": "http.response.body", "body": answer.body})


async def _send_stream(send: Send, stream: EventStream, front: Front) -> None:
    front.plane.metrics.streams += 1
    try:
        async with asyncio.timeout(stream.within_s), aclosing(stream.events()) as events:
            event: bytes | None = await anext(events)  # before anything can go wrong: only what has begun can be ended
            await send(_start(200, stream.headers, front.request_id))
            while event is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                event = await anext(events, None)
    except TimeoutError:
        raise ClientLeft from None  # it stopped reading
    finally:
        front.plane.metrics.streams -= 1
    await send({"type": "http.response.body", "body": b""})
