"""Answers of the usual form, read at one go: nothing is in them but texts, marks and counts that are known. Pure."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.guards.base import Role, Text
from gateway.wire.chunks import is_mark

_Nothing = Annotated[list[None], Meta(max_length=0)]


class _Message(Struct, forbid_unknown_fields=True, gc=False):
    role: Literal["assistant"]
    content: str | None = None
    refusal: None = None
    annotations: _Nothing | None = None
    tool_calls: _Nothing | None = None


class _Choice(Struct, forbid_unknown_fields=True, gc=False):
    message: _Message
    index: int = 0
    finish_reason: Literal["stop", "length", "content_filter"] | None = None
    logprobs: None = None


class _Details(Struct, forbid_unknown_fields=True, gc=False):
    cached_tokens: int = 0
    audio_tokens: int = 0
    reasoning_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class _Usage(Struct, forbid_unknown_fields=True, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class _Answer(Struct, forbid_unknown_fields=True, gc=False):
    choices: list[_Choice]
    object: Literal["chat.completion"]
    id: str = ""
    model: str = ""
    created: int = 0
    system_fingerprint: str | None = None
    service_tier: str | None = None
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def texts_of(body: bytes) -> list[Text] | None:
    """All texts of a whole answer, as `texts.of_answer` finds them; None where it is not of the usual form."""
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    marks = (answer.id, answer.model, answer.system_fingerprint, answer.service_tier)
    if not all(mark is None or is_mark(mark) for mark in marks):
        return None
    return [
        Text(choice.message.content, Role.ASSISTANT, f"choices[{number}].message.content")
        for number, choice in enumerate(answer.choices)
        if choice.message.content
    ]
