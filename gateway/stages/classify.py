"""The two ends of a moderation: from its body to what the other stages know, and the upstream's answer."""

import time

import msgspec

from billing.charging import TAG_VALUE_LENGTH
from billing.contracts import RequestLimits
from gateway.errors import InvalidRequest, TooLarge, UpstreamCut
from gateway.exchange import Exchange
from gateway.guards import moderation as guard
from gateway.plane import Plane
from gateway.providers import openai
from gateway.wire import body, moderation
from gateway.wire.moderation import ModerationAnswer, ModerationRequest
from gateway.wire.prompt import Prompt

_read = msgspec.json.Decoder(ModerationAnswer).decode


async def validate(exchange: Exchange, plane: Plane) -> None:
    """Writes `payload`, `chat`, `prompt` and `tags`. Without a model, it is the one that policy has guards ask.

    Raises:
        InvalidRequest, TooLarge: what is wrong, with the field's name.
    """
    plane.sightings.look(exchange.body, place="prompt", request_id=exchange.request_id)
    principal = exchange.principal
    exchange.payload = body.parse(exchange.body)
    request = body.typed(dict(exchange.payload), ModerationRequest)
    terms = principal.guarding.of(guard.NAME) if principal.guarding is not None else None
    model = request.model or (guard.asking(terms).model if terms is not None else guard.MODEL)
    exchange.chat = moderation.as_chat(request, model=model)
    exchange.prompt = moderation.prompt_of(exchange.payload)
    _check_sizes(exchange.prompt, principal.limits)
    metadata = request.metadata or {}
    exchange.tags = {tag: metadata[tag][:TAG_VALUE_LENGTH] for tag in principal.tags if metadata.get(tag)}


def _check_sizes(prompt: Prompt, limits: RequestLimits) -> None:
    """A text counts as a message of a chat does."""
    inputs = len(prompt.messages) + prompt.images
    if inputs > limits.max_messages:
        raise InvalidRequest(f"Too many inputs: {inputs}; send at most {limits.max_messages}.", param="input")
    lengths = [sum(map(len, texts)) for texts in prompt.messages]
    if max(lengths, default=0) > limits.max_message_chars:
        raise TooLarge(
            f"An input has {max(lengths)} characters; at most {limits.max_message_chars} are allowed.", param="input"
        )
    if sum(lengths) > limits.max_prompt_chars:
        raise TooLarge(
            f"The inputs have {sum(lengths)} characters together; at most {limits.max_prompt_chars} are allowed.",
            param="input",
        )


async def call(exchange: Exchange, plane: Plane) -> None:
    """Writes `route`, `sent_at`, `upstream`, `answered_at` and `answer`.

    Raises:
        UpstreamFailed: nothing usable came back.
    """
    route = exchange.route = exchange.routes[0]
    sent = moderation.request_body(exchange.payload, model=route.upstream_model)
    exchange.sent_at = time.perf_counter()
    with plane.in_hand.one_less:
        exchange.upstream = await plane.upstream.post(
            openai.moderations_url(route), sent, headers=openai.headers(route), route=route
        )
        answer = await exchange.upstream.read()
    try:
        _read(answer)
    except ValueError as error:
        raise UpstreamCut("The upstream's answer cannot be read.") from error
    exchange.answer = answer
    exchange.answered_at = time.perf_counter()
