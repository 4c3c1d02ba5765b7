"""OpenAI's dialect: what is sent to an upstream that speaks it, and what its answers say. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from billing.money import Tokens
from gateway.routing import Route
from gateway.wire.chat import Answer, AnswerFrame, Choice, LooseChoice, Marks, Text, Usage

_encode = msgspec.json.Encoder().encode
_answer = msgspec.json.Decoder(Answer)
_frame = msgspec.json.Decoder(AnswerFrame)
_choices = msgspec.json.Decoder(list[LooseChoice])
_usage = msgspec.json.Decoder(Usage)
_marks = msgspec.json.Decoder(Marks)
_NULL = b"null"
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
DONE = b"[DONE]"
OUTPUT_LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
PERSON_FIELDS = ("safety_identifier", "user")
"""What tells the upstream who the end user is."""

MOST_TOKENS = 10**8
"""Nothing that an upstream reports beyond it is believed."""

MOST_WORD = 20
"""Characters of a word that is recorded; the longest service tier that a price can have."""


def url(route: Route) -> str:
    return f"{route.base_url}/chat/completions"


def moderations_url(route: Route) -> str:
    return f"{route.base_url}/moderations"


def headers(route: Route) -> dict[str, str]:
    sent = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "portcullis"}
    if route.credential:
        sent["Authorization"] = f"Bearer {route.credential}"
    return sent


def request_body(
    payload: Mapping[str, Any],
    *,
    route: Route,
    output_limit: int,
    service_tier: str | None,
    end_user: str,
    stream: bool,
) -> bytes:
    """The client's body with the upstream's model and the service tier that is priced, always asking for usage, and
    with `output_limit` in the one field that the upstream heeds, whichever the client used. Where the client names its
    end user, `end_user` stands instead."""
    sent = {name: value for name, value in payload.items() if name not in OUTPUT_LIMIT_FIELDS}
    sent["model"] = route.upstream_model
    sent[route.output_limit_field] = output_limit
    if service_tier is not None:
        sent["service_tier"] = service_tier
    for name in PERSON_FIELDS:
        if sent.get(name):
            sent[name] = end_user
    if stream:
        sent["stream_options"] = {**(payload.get("stream_options") or {}), "include_usage": True}
    return _encode(sent)


@dataclass(slots=True)
class Read:
    """What was read of an answer or of a chunk."""

    produced: str
    tokens: Tokens | None
    only_usage: bool
    error: bool
    finished: bool
    service_tier: str


def read(data: bytes) -> Read:
    """Reads a whole answer or one chunk.

    Raises:
        ValueError: it is not an answer.
    """
    try:
        answer = _decoded(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    has_usage = bytes(answer.usage) != _NULL
    return Read(
        produced=answer.produced(),
        tokens=read_usage(bytes(answer.usage)) if has_usage else None,
        only_usage=has_usage and not answer.choices,
        error=bytes(answer.error) != _NULL,
        finished=any(choice.finish_reason for choice in answer.choices),
        service_tier=_word(answer.service_tier),
    )


def _decoded(data: bytes) -> Answer:
    """The answer; its texts as one where they do not have a usual form: it passes through all the same."""
    try:
        return _answer.decode(data)
    except msgspec.ValidationError:
        frame = _frame.decode(data)
        choices = _read_loosely(bytes(frame.choices))
        return Answer(choices, usage=frame.usage, error=frame.error, service_tier=frame.service_tier)


def _read_loosely(data: bytes) -> list[Choice]:
    try:
        found = _choices.decode(data)
    except msgspec.ValidationError:
        return [Choice(delta=Text(content=data.decode()))] if data != _NULL else []
    return [
        Choice(delta=Text(content=choice.produced()), finish_reason=str(choice.finish_reason or "")) for choice in found
    ]


def _word(value: Any) -> str:
    """A word of the upstream, as it may be put on record; empty where it is none."""
    if not isinstance(value, str):
        return ""
    word = value[:MOST_WORD]
    return word if word.isprintable() else "".join(filter(str.isprintable, word))


def length_event(like: bytes, *, choices: int) -> bytes:
    """The chunk that ends all choices of a stream for their length, with the id and other marks of the chunk `like`."""
    try:
        marks = _marks.decode(like)
    except msgspec.ValidationError:
        marks = Marks()
    ended = [{"index": index, "delta": {}, "finish_reason": "length"} for index in range(choices)]
    return _encode({**msgspec.to_builtins(marks), "choices": ended})


def read_usage(data: bytes) -> Tokens | None:
    """The token counts that an upstream reports, or None where it reports none that make sense."""
    try:
        usage = _usage.decode(data)
    except msgspec.ValidationError:
        return None
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    counts = Tokens(
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
        cached_input=(prompt.cached_tokens or 0) if prompt else 0,
        cache_write=(prompt.cache_write_tokens or 0) if prompt else 0,
        reasoning=(completion.reasoning_tokens or 0) if completion else 0,
    )
    return counts if _plausible(counts) else None


def _plausible(tokens: Tokens) -> bool:
    parts = (tokens.input, tokens.output, tokens.cached_input, tokens.cache_write, tokens.reasoning)
    return min(parts) >= 0 and max(parts) <= MOST_TOKENS and tokens.cached_input + tokens.cache_write <= tokens.input


class EventBuffer:
    """Splits a stream of bytes into the data of its server-sent events; comments and other fields are left out."""

    MOST_BYTES = 4 * 2**20

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes.

        Raises:
            ValueError: an event has no end.
        """
        *events, self._rest = _EVENT_END.split(self._rest + data)
        if len(self._rest) > self.MOST_BYTES:
            raise ValueError("an event of the upstream is too large")
        return [found for event in events if (found := _data_of(event))]


def _data_of(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event and b"\r" not in event:
        return event[6:]
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return b" ".join(lines)  # not a line end: what is JSON may not need more than one line
