"""What of a message a model wrote, in whatever form: each text in it, whatever field it stands in. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

# Fields that the upstream fills in. What is not listed counts as written, to be safe.
_STRUCTURE = frozenset(
    {
        *("role", "id", "call_id", "tool_call_id", "type", "index", "finish_reason", "status", "format", "signature"),
        *("annotations", "expires_at", "url", "mime_type", "media_type"),
    }
)

# Texts that the model chose freely; other values in their place count as JSON, with names and numbers.
_FREE = frozenset({"arguments", "input"})

_REASONING = ("reasoning", "reasoning_content", "reasoning_details")


def written_in(message: Mapping[str, Any]) -> list[str]:
    """The texts of a message or of a piece of one. What several fields for reasoning repeat of each other counts once:
    some upstreams send it under each of its names."""
    texts: list[str] = []
    reasoned: set[str] = set()
    for name, value in message.items():
        found: list[str] = []
        _collect(name, value, found)
        if name in _REASONING:
            found = [text for text in dict.fromkeys(found) if text not in reasoned]
            reasoned.update(found)
        texts += found
    return texts


def _collect(name: str, value: Any, texts: list[str]) -> None:
    if name in _STRUCTURE or not value:
        return
    if isinstance(value, str):
        texts.append(value)
    elif name in _FREE:
        texts.append(_encode(value).decode())
    elif isinstance(value, dict):
        for inner, part in value.items():
            if (name, inner) != ("audio", "data"):  # sound, whose transcript stands beside it
                _collect(inner, part, texts)
    elif isinstance(value, list):
        for part in value:
            _collect(name, part, texts)
