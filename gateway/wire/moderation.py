"""The shapes of a moderation: what is checked of a request, and what is read of an answer. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.wire.chat import ChatRequest, Message, Part
from gateway.wire.prompt import Prompt

_OWN = frozenset({"user", "safety_identifier", "metadata"})
"""What the gateway decides by, and the upstream does not know."""

_encode = msgspec.json.Encoder().encode


class ModerationRequest(Struct):
    """The body of `POST /v1/moderations`. `user`, `safety_identifier` and `metadata` say what they say of a chat."""

    input: str | Annotated[list[str | Part], Meta(min_length=1)]
    model: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    user: Annotated[str, Meta(max_length=128)] | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    metadata: dict[str, str] | None = None


class ModerationAnswer(Struct):
    """As far as it is read."""

    results: list[dict[str, Any]]


def as_chat(request: ModerationRequest, *, model: str) -> ChatRequest:
    """What limits, budgets and prices take it for: a message that asks for no answer."""
    return ChatRequest(
        model=model,
        messages=[Message(role="user")],
        user=request.user,
        safety_identifier=request.safety_identifier,
        metadata=request.metadata,
    )


def texts(payload: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a validated body, by their places."""
    given = payload["input"]
    if isinstance(given, str):
        return {"input": given}
    return {place: text for number, item in enumerate(given) for place, text in _texts_of(item, f"input[{number}]")}


def with_texts(payload: Mapping[str, Any], changed: Mapping[str, str]) -> dict[str, Any]:
    """The body with other texts at the places that `changed` names."""
    given = payload["input"]
    if isinstance(given, str):
        return {**payload, "input": changed.get("input", given)}
    return {**payload, "input": [_with(item, f"input[{number}]", changed) for number, item in enumerate(given)]}


def prompt_of(payload: Mapping[str, Any]) -> Prompt:
    """What counts as input: texts, and pictures."""
    given = payload["input"]
    parts = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    images = sum(part["type"] == "image_url" for part in parts)
    opaque = sum(len(_encode(part)) for part in parts if part["type"] not in ("text", "image_url"))
    return Prompt([[text] for text in texts(payload).values()], [], images, opaque)


def request_body(payload: Mapping[str, Any], *, model: str) -> bytes:
    """The client's body with the upstream's model, and without what is the gateway's own."""
    return _encode({**{name: value for name, value in payload.items() if name not in _OWN}, "model": model})


def _texts_of(item: Any, place: str) -> list[tuple[str, str]]:
    if isinstance(item, str):
        return [(place, item)]
    text = item.get("text")
    return [(f"{place}.text", text)] if isinstance(text, str) else []


def _with(item: Any, place: str, changed: Mapping[str, str]) -> Any:
    if isinstance(item, str):
        return changed.get(place, item)
    return {**item, "text": changed[f"{place}.text"]} if f"{place}.text" in changed else item
