"""The shapes of a chat completion: what is checked of a request, and what is read of an answer.

Only what the gateway decides by is named here; every other field passes through unharmed.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.wire.written import written_in

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
Limit = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class Part(Struct):
    """A piece of a message's content: text, an image, a file, …"""

    type: str
    text: str | None = None


class Message(Struct):
    role: Role
    content: str | list[Part] | None = None


class StreamOptions(Struct):
    include_usage: bool | None = None


class ChatRequest(Struct):
    """The body of `POST /v1/chat/completions`."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: str | list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    response_format: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    user: Annotated[str, Meta(max_length=128)] | None = None
    store: bool | None = None
    service_tier: Annotated[str, Meta(max_length=20)] | None = None
    prompt_cache_key: str | None = None
    web_search_options: dict[str, Any] | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None

    @property
    def output_limit(self) -> int | None:
        """The most output tokens that the client asked for, per choice; of two limits the higher one."""
        return max(filter(None, (self.max_completion_tokens, self.max_tokens)), default=None)

    @property
    def searches(self) -> bool:
        return self.web_search_options is not None

    @property
    def has_audio(self) -> bool:
        """Whether audio goes in or comes out: its tokens have other prices than those of text."""
        if self.audio is not None or "audio" in (self.modalities or ()):
            return True
        parts = (part for message in self.messages if isinstance(message.content, list) for part in message.content)
        return any(part.type == "input_audio" for part in parts)

    @property
    def identifier(self) -> str:
        """What the application calls its end user; empty where it does not say."""
        return self.safety_identifier or self.user or ""

    @property
    def wants_usage_chunk(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


class PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Function(Struct, forbid_unknown_fields=True):
    name: str | None = None
    arguments: str | None = None


class ToolCall(Struct, forbid_unknown_fields=True):
    function: Function | None = None
    id: str | None = None
    type: str | None = None
    index: int | None = None


class Text(Struct, forbid_unknown_fields=True):
    """A message of an answer, or the piece of one that a chunk carries, in its usual forms.

    One in another form is refused here, and read by `gateway.wire.written`: no text may go uncounted.
    """

    content: str | None = None
    role: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    reasoning: None = None
    audio: None = None
    annotations: msgspec.Raw = msgspec.Raw(b"null")

    def produced(self) -> str:
        """All that the model wrote here."""
        if self.tool_calls is None and self.function_call is None and not self.refusal and not self.reasoning_content:
            return self.content or ""  # so it is in nearly all pieces of a stream
        calls = [call.function for call in self.tool_calls or () if call.function]
        if self.function_call:
            calls.append(self.function_call)
        written = [self.content, self.refusal, self.reasoning_content, *(call.name for call in calls)]
        return "".join(filter(None, [*written, *(call.arguments for call in calls)]))


class Choice(Struct):
    message: Text | None = None
    delta: Text | None = None
    finish_reason: str | None = None

    def produced(self) -> str:
        return (self.message.produced() if self.message else "") + (self.delta.produced() if self.delta else "")


class Answer(Struct):
    """A whole answer, or one chunk of a streamed one. `usage` and `error` stay raw: they are read leniently."""

    choices: list[Choice] = []
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")
    service_tier: Any = None

    def produced(self) -> str:
        return "".join([choice.produced() for choice in self.choices])


class LooseChoice(Struct):
    """A choice whose texts have a form of their own."""

    message: dict[str, Any] | None = None
    delta: dict[str, Any] | None = None
    finish_reason: Any = None

    def produced(self) -> str:
        return "".join(text for message in (self.message, self.delta) if message for text in written_in(message))


class AnswerFrame(Struct):
    """An answer of which nothing is known but where its parts are."""

    choices: msgspec.Raw = msgspec.Raw(b"null")
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")
    service_tier: Any = None


class Marks(Struct):
    """What all chunks of a stream have in common."""

    id: str = ""
    object: str = "chat.completion.chunk"
    created: int = 0
    model: str = ""


class UpstreamError(Struct):
    """An error in OpenAI's form, as far as it keeps to it."""

    message: str | None = None
    param: str | None = None
    code: str | int | None = None


class UpstreamErrorBody(Struct):
    error: UpstreamError | str | None = None
