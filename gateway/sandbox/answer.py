"""Decides what the sandbox answers: which text or tool call, where it is cut, and the usage it reports."""

import msgspec

from gateway.sandbox import chat, errors, schema
from gateway.sandbox.chat import ChatRequest, Function, NamedTool
from gateway.sandbox.text import SENTENCE_TOKENS, prose, prose_of_length, token_pieces

DEFAULT_TOKENS = 2 * SENTENCE_TOKENS


class ToolCall(msgspec.Struct, frozen=True):
    id: str
    name: str


class Choice(msgspec.Struct, frozen=True):
    """One choice. Its pieces, one per token, are its content, or the arguments when it calls a tool."""

    pieces: tuple[str, ...]
    finish_reason: str
    call: ToolCall | None = None


class Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class Answer(msgspec.Struct, frozen=True):
    choices: tuple[Choice, ...]
    usage: Usage | None

    @property
    def tokens(self) -> int:
        """The tokens a client gets to see: completion tokens without the reasoning."""
        return sum(len(choice.pieces) for choice in self.choices)


def compose(request: ChatRequest) -> Answer:
    """Return the answer to a request: the same request always gets the same one."""
    seed = chat.seed(request)
    reasoning = request.sandbox.reasoning_tokens
    limit = request.token_limit
    if limit is not None:  # reasoning is spent first, as with OpenAI's reasoning models
        reasoning = min(reasoning, limit)
        limit -= reasoning
    choices = tuple(_choice(request, seed=seed + index, limit=limit) for index in range(request.n or 1))
    return Answer(choices, _usage(request, choices, reasoning=reasoning))


def _usage(request: ChatRequest, choices: tuple[Choice, ...], *, reasoning: int) -> Usage | None:
    if request.sandbox.no_usage:
        return None
    return Usage(
        prompt_tokens=chat.prompt_tokens(request),
        completion_tokens=sum(len(choice.pieces) + reasoning for choice in choices),
        cached_tokens=request.sandbox.cached_tokens,
        reasoning_tokens=reasoning * len(choices),
    )


def _choice(request: ChatRequest, *, seed: int, limit: int | None) -> Choice:
    function = _function_to_call(request)
    if function is not None:
        return _calling(request, function, seed=seed, limit=limit)
    pieces = _until_stop(_content(request, seed), request.stop_sequences)
    if _is_cut(pieces, limit):
        return Choice(pieces[:limit], "length")
    return Choice(pieces, "stop")


def _content(request: ChatRequest, seed: int) -> tuple[str, ...]:
    knobs = request.sandbox
    if knobs.again is not None and any(message.role == "assistant" for message in request.messages):
        return token_pieces(knobs.again)
    if knobs.text is not None:
        return token_pieces(knobs.text)
    if request.response_format is not None and request.response_format.type != "text":
        return token_pieces(_structured(request.response_format))
    if knobs.chars is not None:
        return prose_of_length(seed, chars=knobs.chars)
    if knobs.tokens is not None:
        return prose(seed, tokens=knobs.tokens)
    return prose(seed, tokens=knobs.chunks or DEFAULT_TOKENS)


def _structured(wanted: chat.ResponseFormat) -> str:
    if wanted.json_schema is None:
        return '{"answer":"example"}'
    return msgspec.json.encode(schema.instance_of(wanted.json_schema.schema)).decode()


def _calling(request: ChatRequest, function: Function, *, seed: int, limit: int | None) -> Choice:
    arguments = schema.instance_of(function.parameters or {"type": "object"})
    pieces = token_pieces(msgspec.json.encode(arguments).decode())
    call = ToolCall(id=f"call_{seed:024x}", name=function.name)
    if _is_cut(pieces, limit):
        return Choice(pieces[:limit], "length", call)
    # OpenAI ends a call of a named function with "stop" and other calls with "tool_calls"; measured in
    # https://github.com/vllm-project/vllm/pull/25054
    return Choice(pieces, "stop" if isinstance(request.tool_choice, NamedTool) else "tool_calls", call)


def _function_to_call(request: ChatRequest) -> Function | None:
    choice = request.tool_choice
    functions = {tool.function.name: tool.function for tool in request.tools or ()}
    if isinstance(choice, NamedTool):
        if choice.function.name not in functions:
            message = f"Tool choice 'function' '{choice.function.name}' not found in 'tools' parameter."
            raise errors.ApiError(400, message, param="tool_choice")
        return functions[choice.function.name]
    if not functions or choice == "none":
        return None
    wanted = choice == "required" or request.sandbox.tool_call
    return next(iter(functions.values())) if wanted else None


def _is_cut(pieces: tuple[str, ...], limit: int | None) -> bool:
    return limit is not None and len(pieces) > limit


def _until_stop(pieces: tuple[str, ...], stops: list[str]) -> tuple[str, ...]:
    if not stops:
        return pieces
    text = "".join(pieces)
    found = [position for stop in stops if (position := text.find(stop)) >= 0]
    return token_pieces(text[: min(found)]) if found else pieces
