"""What of a request is prompt: everything that the upstream may count as input, whatever field it stands in. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

# Fields that steer and are not read by the model. What is not listed counts as prompt, to be safe.
_SETTINGS = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "temperature", "top_p", "n", "stop", "seed", "user"),
        *("max_tokens", "max_completion_tokens", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs"),
        *("top_logprobs", "metadata", "safety_identifier", "store", "service_tier", "prompt_cache_key"),
        *("reasoning_effort", "verbosity", "parallel_tool_calls", "modalities"),
    }
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """`messages`: the texts of each, tool calls included; `extras`: tools, schemas and unknown fields, as JSON;
    `images`: how many; `opaque_bytes`: the size of what is neither text nor image."""

    messages: list[list[str]]
    extras: list[str]
    images: int
    opaque_bytes: int


def prompt_of(payload: Mapping[str, Any]) -> Prompt:
    """The prompt in a validated body."""
    messages, images, opaque_bytes = [], 0, 0
    for message in payload["messages"]:
        texts = [_text(value) for name, value in message.items() if name not in ("role", "content") and value]
        content = message.get("content")
        if isinstance(content, str):
            texts.append(content)
        for part in content if isinstance(content, list) else ():
            kind = part["type"]
            texts.extend(_texts_of(part) if kind in ("text", "refusal") else ())
            images += kind == "image_url"
            opaque_bytes += len(_encode(part)) if kind not in ("text", "refusal", "image_url") else 0
        messages.append(texts)
    return Prompt(messages, list(_extras(payload)), images, opaque_bytes)


def _texts_of(part: Mapping[str, Any]) -> Iterator[str]:
    return (_text(value) for name, value in part.items() if name != "type" and value)


def _extras(payload: Mapping[str, Any]) -> Iterator[str]:
    return (_text(value) for name, value in payload.items() if name not in _SETTINGS and value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()
