"""The chat completion request as the sandbox reads it. Fields it has no use for are ignored."""

import zlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from gateway.sandbox import errors
from gateway.sandbox.knobs import Knobs
from gateway.sandbox.text import ENCODING
from gateway.tokens import count_tokens

MODELS = ("sandbox-small", "sandbox-large")

# OpenAI's count of a chat prompt: each message is framed by 4 tokens, its role included, and the answer is
# primed by 3 (OpenAI cookbook, "How to count tokens with tiktoken"). An image at low detail costs 85.
MESSAGE_TOKENS = 4
PRIMING_TOKENS = 3
IMAGE_TOKENS = 85

Limit = Annotated[int, msgspec.Meta(ge=1)]
StopSequence = Annotated[str, msgspec.Meta(min_length=1)]


class Part(msgspec.Struct):
    type: str
    text: str = ""


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None


class Function(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class Tool(msgspec.Struct):
    type: Literal["function"]
    function: Function


class FunctionName(msgspec.Struct):
    name: str


class NamedTool(msgspec.Struct):
    type: Literal["function"]
    function: FunctionName


class JsonSchema(msgspec.Struct):
    name: str
    schema: dict[str, Any] = {}


class ResponseFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The body of `POST /v1/chat/completions`."""

    model: str
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: StopSequence | Annotated[list[StopSequence], msgspec.Meta(max_length=4)] | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    response_format: ResponseFormat | None = None
    sandbox: Knobs = Knobs()

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def stop_sequences(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


_DECODER = msgspec.json.Decoder(ChatRequest)


def parse(body: bytes) -> ChatRequest:
    """Read a request. Raises ApiError, as OpenAI does, with the field that is wrong as its `param`."""
    try:
        request = _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise errors.invalid_body(error) from error
    _refuse_contradictions(request)
    return request


def prompt_tokens(request: ChatRequest) -> int:
    """Count the prompt as OpenAI would bill it: texts, message framing and images."""
    total = PRIMING_TOKENS
    for message in request.messages:
        total += MESSAGE_TOKENS + IMAGE_TOKENS * _images(message)
        total += sum(count_tokens(text, ENCODING) for text in _texts(message))
    return total


def seed(request: ChatRequest) -> int:
    """Return a number that is the same for the same model and messages, streamed or not."""
    checksum = zlib.crc32(request.model.encode())
    for message in request.messages:
        for text in _texts(message):
            checksum = zlib.crc32(text.encode(), checksum)
    return checksum


def _refuse_contradictions(request: ChatRequest) -> None:
    if request.model not in MODELS:
        raise errors.model_not_found(request.model)
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise errors.ApiError(400, message, param="max_tokens")
    if request.stream_options is not None and not request.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise errors.ApiError(400, message, param="stream_options")
    if request.sandbox.error_after_chunks is not None and not request.stream:
        message = "The knob 'error_after_chunks' needs 'stream'."
        raise errors.ApiError(400, message, param="sandbox.error_after_chunks")


def _texts(message: Message) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    elif message.content is not None:
        yield from (part.text for part in message.content)


def _images(message: Message) -> int:
    if message.content is None or isinstance(message.content, str):
        return 0
    return sum(part.type == "image_url" for part in message.content)
