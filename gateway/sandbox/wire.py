"""Answers as the bytes OpenAI sends: a whole body, or the events of a stream.

The events of a stream differ in their delta only, so that all that surrounds it is encoded once per stream.
"""

import time
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from gateway.sandbox.answer import Answer, Choice, Usage

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


class Delta(NamedTuple):
    """An event that carries a piece of the answer."""

    event: bytes
    tokens: int


class EventStream(NamedTuple):
    """A streamed answer: the role events, the deltas, and the rest from the finish reason to `[DONE]`."""

    head: bytes
    deltas: Iterator[Delta]
    tail: bytes


class Envelope(msgspec.Struct, frozen=True):
    """What every message of one answer repeats."""

    id: str
    model: str
    created_s: int
    service_tier: str

    @classmethod
    def now(cls, *, id: str, model: str, service_tier: str = "default") -> "Envelope":
        return cls(id=id, model=model, created_s=int(time.time()), service_tier=service_tier)

    def fields(self, kind: str) -> dict[str, object]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created_s,
            "model": self.model,
            "service_tier": self.service_tier,
            "system_fingerprint": "fp_sandbox",
        }


def whole(answer: Answer, envelope: Envelope) -> bytes:
    """Return the body of an answer that is not streamed."""
    body = envelope.fields("chat.completion")
    body["choices"] = [_whole_choice(index, choice) for index, choice in enumerate(answer.choices)]
    if answer.usage is not None:
        body["usage"] = _usage(answer.usage)
    return _encode(body)


def stream(answer: Answer, envelope: Envelope, *, include_usage: bool, chunks: int | None) -> EventStream:
    """Return the events of a streamed answer, its tokens spread over `chunks` deltas (None: one each)."""
    usage = answer.usage if include_usage else None
    writer = _Events(envelope, with_usage_field=usage is not None)
    choices = list(enumerate(answer.choices))
    head = b"".join(writer.event(index, _first_delta(choice)) for index, choice in choices)
    tail = b"".join(writer.event(index, b"{}", choice.finish_reason) for index, choice in choices)
    if usage is not None:
        tail += writer.usage_event(usage)
    return EventStream(head, writer.deltas(answer, chunks), tail + DONE)


class _Events:
    def __init__(self, envelope: Envelope, *, with_usage_field: bool) -> None:
        fields = _encode(envelope.fields("chat.completion.chunk"))
        self._open = b"data: " + fields[:-1]
        self._close = b',"usage":null}\n\n' if with_usage_field else b"}\n\n"

    def event(self, index: int, delta: bytes, finish_reason: str | None = None) -> bytes:
        before, after = self._around(index, finish_reason)
        return before + delta + after

    def usage_event(self, usage: Usage) -> bytes:
        return self._open + b',"choices":[],"usage":' + _encode(_usage(usage)) + b"}\n\n"

    def deltas(self, answer: Answer, chunks: int | None) -> Iterator[Delta]:
        """Yield the deltas of all choices in turn: the first of each, the second of each, and so on."""
        writers = [self._choice_deltas(index, choice, chunks) for index, choice in enumerate(answer.choices)]
        for turn in zip_longest(*writers):
            yield from (delta for delta in turn if delta is not None)

    def _choice_deltas(self, index: int, choice: Choice, chunks: int | None) -> Iterator[Delta]:
        before, after = self._around(index, None)
        if choice.call is None:
            before, after = before + b'{"content":', b"}" + after
        else:
            before, after = before + b'{"tool_calls":[{"index":0,"function":{"arguments":', b"}}]}" + after
        for text, tokens in _grouped(choice.pieces, chunks):
            yield Delta(before + _encode(text) + after, tokens)

    def _around(self, index: int, finish_reason: str | None) -> tuple[bytes, bytes]:
        before = self._open + b',"choices":[{"index":%d,"delta":' % index
        after = b',"logprobs":null,"finish_reason":' + _encode(finish_reason) + b"}]" + self._close
        return before, after


def _grouped(pieces: tuple[str, ...], chunks: int | None) -> Iterator[tuple[str, int]]:
    total = len(pieces)
    count = total if chunks is None else min(chunks, total)
    for number in range(count):
        start, end = number * total // count, (number + 1) * total // count
        yield "".join(pieces[start:end]), end - start


def _first_delta(choice: Choice) -> bytes:
    if choice.call is None:
        return b'{"role":"assistant","content":"","refusal":null}'
    call = {"index": 0, **_tool_call(choice, arguments="")}
    return _encode({"role": "assistant", "content": None, "tool_calls": [call], "refusal": None})


def _whole_choice(index: int, choice: Choice) -> dict[str, object]:
    text = "".join(choice.pieces)
    message: dict[str, object] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if choice.call is not None:
        message |= {"content": None, "tool_calls": [_tool_call(choice, arguments=text)]}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": choice.finish_reason}


def _tool_call(choice: Choice, *, arguments: str) -> dict[str, object]:
    assert choice.call is not None
    return {
        "id": choice.call.id,
        "type": "function",
        "function": {"name": choice.call.name, "arguments": arguments},
    }


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
