"""The data plane's endpoints."""

import msgspec
from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from gateway import pipeline
from gateway.errors import ModelNotFound, Refusal
from gateway.exchange import Exchange
from gateway.http import headers, schema
from gateway.http.base import AsyncView, front_of, principal_of, refused
from gateway.http.sse import EventStream
from gateway.routing import ModelRoutes


class ChatCompletions(AsyncView):
    """Creates a chat completion, whole or as a stream of events."""

    scope = "chat"

    @extend_schema(**schema.CHAT_COMPLETIONS)
    async def post(self, request: Request) -> HttpResponseBase:
        front = front_of(request)
        exchange = Exchange(request_id=front.request_id, principal=principal_of(request), body=front.body)
        try:
            await pipeline.run(exchange, front.plane)
        except Refusal as error:
            return refused(error, headers.of_exchange(exchange))
        if exchange.streamed:
            return EventStream(
                pipeline.stream(exchange, front.plane),
                headers=headers.of_exchange(exchange),
                within_s=exchange.lease_s,
            )
        return HttpResponse(exchange.answer, content_type="application/json", headers=headers.of_exchange(exchange))


class Models(AsyncView):
    """Lists the models that the key may use."""

    scope = "models"

    @extend_schema(**schema.MODELS)
    async def get(self, request: Request) -> HttpResponse:
        table = await front_of(request).plane.snapshots.routes()
        data = [
            _described(model) for name, model in sorted(table.models.items()) if principal_of(request).may_use(name)
        ]
        return _json({"object": "list", "data": data})


class ModelDetail(AsyncView):
    """Describes one model."""

    scope = "models"

    @extend_schema(**schema.MODEL)
    async def get(self, request: Request, model: str) -> HttpResponse:
        found = (await front_of(request).plane.snapshots.routes()).models.get(model)
        if found is None or not principal_of(request).may_use(model):
            raise ModelNotFound(model)
        return _json(_described(found))


def _described(model: ModelRoutes) -> dict[str, object]:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": model.owned_by}


def _json(value: object) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(value), content_type="application/json")
