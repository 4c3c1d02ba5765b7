"""The sandbox as an aiohttp application: OpenAI's endpoints, and its own that tell a test what reached it.

It must be served with `handler_cancellation=True`: only then is a client that leaves noticed at once.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gateway.sandbox import answer, chat, errors, moderation, wire
from gateway.sandbox.delivery import Delivery
from gateway.sandbox.fast import FixedAnswers
from gateway.sandbox.journal import Journal, RequestRecord

MAX_BODY_BYTES = 64 * 1024 * 1024
WAIT_MAX_S = 30.0

Responder = Callable[[web.Request, RequestRecord], Awaitable[web.StreamResponse]]


class Options(msgspec.Struct, frozen=True):
    """How a sandbox is started. Without `api_key` any credential, or none, is accepted."""

    api_key: str | None = None
    record_bodies: bool = False
    fast: bool = False


class Sandbox:
    """The handlers and what they share."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._journal = Journal()
        self._fixed = FixedAnswers(self._journal)
        self._respond: Responder = self._fixed.respond if options.fast else self._answer

    async def chat_completions(self, http: web.Request) -> web.StreamResponse:
        return await self._recorded(http, self._respond)

    async def moderations(self, http: web.Request) -> web.StreamResponse:
        return await self._recorded(http, self._moderate)

    async def _recorded(self, http: web.Request, respond: Responder) -> web.StreamResponse:
        record = self._journal.open(authorization_present="Authorization" in http.headers)
        try:
            self._authorize(http)
            return await respond(http, record)
        except errors.ApiError as error:
            return _error_response(error)
        except asyncio.CancelledError:
            self._journal.end(record, "cancelled")
            raise
        except ConnectionError:  # the client left while we wrote; aiohttp would log it as an error of ours
            self._journal.end(record, "cancelled")
            return web.Response()
        finally:
            self._journal.end(record, "failed")  # stands only where nothing else was said

    async def _answer(self, http: web.Request, record: RequestRecord) -> web.StreamResponse:
        body = await _read(http)
        request = chat.parse(body)
        record.model = request.model
        if self._options.record_bodies:
            record.body = _without_knobs(body)
        delivery = Delivery(http, record=record, journal=self._journal, knobs=request.sandbox)
        await delivery.before_answer()
        if request.sandbox.cut:
            return delivery.cut()
        reply = answer.compose(request)
        tier = request.sandbox.service_tier
        envelope = wire.Envelope.now(id=record.id, model=request.model, service_tier=tier)
        if not request.stream:
            return await delivery.whole(wire.whole(reply, envelope), tokens=reply.tokens)
        events = wire.stream(reply, envelope, include_usage=request.include_usage, chunks=request.sandbox.chunks)
        return await delivery.stream(events)

    async def _moderate(self, http: web.Request, record: RequestRecord) -> web.StreamResponse:
        body = await _read(http)
        request = moderation.parse(body)
        record.model = request.model
        if self._options.record_bodies:
            record.body = _without_knobs(body)
        delivery = Delivery(http, record=record, journal=self._journal, knobs=request.knobs)
        await delivery.before_answer()
        if request.knobs.cut:
            return delivery.cut()
        return await delivery.whole(moderation.answer(request, id=record.id), tokens=0)

    async def models(self, http: web.Request) -> web.Response:
        try:
            self._authorize(http)
        except errors.ApiError as error:
            return _error_response(error)
        return _json({"object": "list", "data": [_model(name) for name in chat.MODELS]})

    async def model(self, http: web.Request) -> web.Response:
        name = http.match_info["name"]
        try:
            self._authorize(http)
            if name not in chat.MODELS:
                raise errors.model_not_found(name)
        except errors.ApiError as error:
            return _error_response(error)
        return _json(_model(name))

    async def requests(self, http: web.Request) -> web.Response:
        return _json(self._journal.records())

    async def forget_requests(self, http: web.Request) -> web.Response:
        self._journal.clear()
        return web.Response(status=204)

    async def stats(self, http: web.Request) -> web.Response:
        """Answer the counts; with `?running=N`, as soon as exactly N requests run (or after 30 s)."""
        running = http.query.get("running", "")
        if running.isdecimal():
            await self._journal.wait_for_running(int(running), timeout_s=WAIT_MAX_S)
        return _json(self._journal.stats())

    def _authorize(self, http: web.Request) -> None:
        expected = self._options.api_key
        if expected is None:
            return
        given = http.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(errors="replace"), f"Bearer {expected}".encode()):
            raise errors.for_status(401)


def create_app(options: Options) -> web.Application:
    """Return the sandbox, ready for a runner."""
    sandbox = Sandbox(options)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.post("/v1/chat/completions", sandbox.chat_completions),
            web.post("/v1/moderations", sandbox.moderations),
            web.get("/v1/models", sandbox.models),
            web.get("/v1/models/{name}", sandbox.model),
            web.get("/_sandbox/requests", sandbox.requests),
            web.delete("/_sandbox/requests", sandbox.forget_requests),
            web.get("/_sandbox/stats", sandbox.stats),
            web.route("*", "/{path:.*}", _unknown_url),
        ]
    )
    return app


async def _read(http: web.Request) -> bytes:
    try:
        return await http.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise errors.ApiError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.") from error


async def _unknown_url(http: web.Request) -> web.Response:
    return _error_response(errors.ApiError(404, f"Invalid URL ({http.method} {http.path})", code="unknown_url"))


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1_735_689_600, "owned_by": "sandbox"}


def _without_knobs(body: bytes) -> msgspec.Raw:
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    fields.pop("sandbox", None)
    return msgspec.Raw(msgspec.json.encode(fields))


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _error_response(error: errors.ApiError) -> web.Response:
    return web.Response(status=error.status, body=error.body, content_type="application/json", headers=error.headers)
