"""Answers of the usual form, read at one go: nothing is in them but texts, marks and counts, all known. Pure."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.guards.base import Role, Text
from gateway.wire.chunks import is_mark

_Nothing = Annotated[list[None], Meta(max_length=0)]


class _Message(Struct, forbid_unknown_fields=True, gc=False):
    role: Literal["assistant"]
    content: str | UnsetType | None = UNSET
    refusal: UnsetType | None = UNSET
    annotations: _Nothing | UnsetType | None = UNSET
    tool_calls: _Nothing | UnsetType | None = UNSET


class _Choice(Struct, forbid_unknown_fields=True, gc=False):
    message: _Message
    index: int | UnsetType = UNSET
    finish_reason: Literal["stop", "length", "content_filter"] | UnsetType | None = UNSET
    logprobs: UnsetType | None = UNSET


class _Details(Struct, forbid_unknown_fields=True, gc=False):
    cached_tokens: int | UnsetType = UNSET
    audio_tokens: int | UnsetType = UNSET
    reasoning_tokens: int | UnsetType = UNSET
    accepted_prediction_tokens: int | UnsetType = UNSET
    rejected_prediction_tokens: int | UnsetType = UNSET


class _Usage(Struct, forbid_unknown_fields=True, gc=False):
    prompt_tokens: int | UnsetType = UNSET
    completion_tokens: int | UnsetType = UNSET
    total_tokens: int | UnsetType = UNSET
    prompt_tokens_details: _Details | UnsetType | None = UNSET
    completion_tokens_details: _Details | UnsetType | None = UNSET


class _Answer(Struct, forbid_unknown_fields=True, gc=False):
    choices: list[_Choice]
    object: Literal["chat.completion"]
    id: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    created: int | UnsetType = UNSET
    system_fingerprint: str | UnsetType | None = UNSET
    service_tier: str | UnsetType | None = UNSET
    usage: _Usage | UnsetType | None = UNSET


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode
_ESCAPED, _ESCAPED_LARGE = b"\\u003a", b"\\u003A"
"""Colons that no count of colons finds."""


def texts_of(body: bytes) -> list[Text] | None:
    """All texts of a whole answer, as `texts.of_answer` finds them; None where it is not of the usual form."""
    try:
        answer = _decode(body)
    except (ValueError, RecursionError):
        return None
    if _says_more(body, answer):
        return None
    for mark in (answer.id, answer.model, answer.system_fingerprint, answer.service_tier):
        if mark and not is_mark(mark):
            return None
    found = []
    for number, choice in enumerate(answer.choices):
        content = choice.message.content
        if isinstance(content, str) and content:
            found.append(Text(content, Role.ASSISTANT, f"choices[{number}].message.content"))
    return found


def _says_more(body: bytes, answer: _Answer) -> bool:
    """Whether a name may stand twice in it, of which only the last was read: readers do not agree on which one counts.
    Written anew, with all that was read and no more, it has as many colons then as it had."""
    return body.count(b":") != _encode(answer).count(b":") or _ESCAPED in body or _ESCAPED_LARGE in body
