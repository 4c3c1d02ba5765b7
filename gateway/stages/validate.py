"""From the body to a typed request that keeps to its tier's sizes."""

from collections.abc import Mapping

from billing.charging import TAG_VALUE_LENGTH
from billing.contracts import RequestLimits
from gateway.errors import InvalidRequest, TooLarge
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.wire import body
from gateway.wire.chat import ChatRequest
from gateway.wire.prompt import Prompt, prompt_of


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `payload`, `chat`, `prompt` and `tags`.

    Raises:
        InvalidRequest, TooLarge: what is wrong, with the field's name.
    """
    plane.sightings.look(exchange.body, place="prompt", request_id=exchange.request_id)
    exchange.payload = body.parse(exchange.body)
    exchange.chat = body.typed(dict(exchange.payload), ChatRequest)
    exchange.prompt = prompt_of(exchange.payload)
    _check_sizes(exchange.prompt, exchange.principal.limits)
    _check_output_limit(exchange.chat, exchange.principal.limits.output_tokens_cap)
    if exchange.chat.stream_options is not None and not exchange.chat.stream:
        raise InvalidRequest("'stream_options' is only allowed when 'stream' is true.", param="stream_options")
    tags = exchange.principal.tags
    if tags and exchange.chat.metadata:
        exchange.tags = _declared(exchange.chat.metadata, tags)


def _declared(metadata: Mapping[str, str], tags: tuple[str, ...]) -> dict[str, str]:
    """The values of the tenant's attribution tags that the request has."""
    return {tag: metadata[tag][:TAG_VALUE_LENGTH] for tag in tags if metadata.get(tag)}


def _check_sizes(prompt: Prompt, limits: RequestLimits) -> None:
    if len(prompt.messages) > limits.max_messages:
        raise InvalidRequest(
            f"Too many messages: {len(prompt.messages)}; send at most {limits.max_messages}.", param="messages"
        )
    total = 0
    for position, texts in enumerate(prompt.messages):
        length = sum(map(len, texts))
        total += length
        if length > limits.max_message_chars:
            raise TooLarge(
                f"Message {position} has {length} characters; at most {limits.max_message_chars} are allowed.",
                param=f"messages[{position}].content",
            )
    if total > limits.max_prompt_chars:
        raise TooLarge(
            f"The messages have {total} characters together; at most {limits.max_prompt_chars} are allowed.",
            param="messages",
        )


def _check_output_limit(chat: ChatRequest, cap: int) -> None:
    for name in ("max_completion_tokens", "max_tokens"):
        wanted = getattr(chat, name)
        if wanted is not None and wanted > cap:
            raise InvalidRequest(f"'{name}' is {wanted}; it must lie between 1 and {cap}.", param=name)
