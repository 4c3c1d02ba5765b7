"""The data plane's endpoints."""

import msgspec

from gateway import pipeline
from gateway.errors import ModelNotFound, Refusal
from gateway.exchange import Exchange
from gateway.http import answers, headers
from gateway.http.answers import Answer
from gateway.http.base import Asked, AsyncView
from gateway.http.sse import EventStream
from gateway.routing import ModelRoutes


class ChatCompletions(AsyncView):
    """Creates a chat completion, whole or as a stream of events."""

    scope = "chat"

    async def post(self, asked: Asked) -> Answer | EventStream:
        front = asked.front
        exchange = Exchange(request_id=front.request_id, principal=asked.principal, body=front.body, gpc=front.gpc)
        try:
            await pipeline.run(exchange, front.plane)
        except Refusal as error:
            return answers.refused(error, headers.of_exchange(exchange))
        if exchange.streamed:
            return EventStream(
                pipeline.stream(exchange, front.plane),
                headers=headers.of_exchange(exchange),
                within_s=exchange.lease_s,
            )
        return answers.whole(exchange.given, headers=headers.of_exchange(exchange))


class Moderations(AsyncView):
    """Says of texts whether, and for what, a moderation model flags them."""

    scope = "moderations"

    async def post(self, asked: Asked) -> Answer:
        front = asked.front
        exchange = Exchange(
            request_id=front.request_id, principal=asked.principal, body=front.body, gpc=front.gpc, is_chat=False
        )
        try:
            await pipeline.run(exchange, front.plane, stages=pipeline.MODERATION)
        except Refusal as error:
            return answers.refused(error, headers.of_exchange(exchange))
        return answers.whole(exchange.answer, headers=headers.of_exchange(exchange))


class Models(AsyncView):
    """Lists the models that the key may use."""

    scope = "models"

    async def get(self, asked: Asked) -> Answer:
        table = await asked.front.plane.snapshots.routes()
        data = [_described(model) for name, model in sorted(table.models.items()) if asked.principal.may_use(name)]
        return _json({"object": "list", "data": data})


class ModelDetail(AsyncView):
    """Describes one model."""

    scope = "models"

    async def get(self, asked: Asked, model: str) -> Answer:
        found = (await asked.front.plane.snapshots.routes()).models.get(model)
        if found is None or not asked.principal.may_use(model):
            raise ModelNotFound(model)
        return _json(_described(found))


def _described(model: ModelRoutes) -> dict[str, object]:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": model.owned_by}


def _json(value: object) -> Answer:
    return answers.whole(msgspec.json.encode(value))
