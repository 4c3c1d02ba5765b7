"""What policy has the gateway add to a chat request: a canary, and marks around what tools returned. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.guards.base import Guarding
from gateway.guards.canaries.tokens import canary_for, sentence
from gateway.guards.injection.delimiters import delimited, new_mark, note

_SYSTEM = ("system", "developer")
_RETURNED = ("tool", "function")

Message = Mapping[str, Any]


class Framed(NamedTuple):
    """The messages as they go on, and the canaries that were put in."""

    messages: Sequence[Message]
    canaries: tuple[str, ...] = ()


def framed(messages: Sequence[Message], guarding: Guarding, *, mark: Callable[[], str] = new_mark) -> Framed:
    """The messages with what policy adds; the same object where it adds nothing."""
    canaries: tuple[str, ...] = ()
    if _is_set(guarding, "injection", "delimiters") and any(each.get("role") in _RETURNED for each in messages):
        messages = _delimited(messages, mark())
    if _is_set(guarding, "canaries", "insert") and (at := _last(messages)) is not None:
        canary = canary_for(guarding.key, "\n".join(_texts(messages[at])))
        messages, canaries = _with(messages, at, sentence(canary)), (canary,)
    return Framed(messages, canaries)


def _is_set(guarding: Guarding, guard: str, setting: str) -> bool:
    terms = guarding.of(guard)
    return terms is not None and bool(terms.settings.get(setting))


def _delimited(messages: Sequence[Message], mark: str) -> Sequence[Message]:
    found = [
        _changed(each, lambda text: delimited(text, mark)) if each["role"] in _RETURNED else each for each in messages
    ]
    at = _last(found)
    if at is None:
        return [{"role": "system", "content": note(mark)}, *found]
    return _with(found, at, note(mark))


def _last(messages: Sequence[Message]) -> int | None:
    """Where the last of the application's own messages stands."""
    return next((at for at in reversed(range(len(messages))) if messages[at].get("role") in _SYSTEM), None)


def _with(messages: Sequence[Message], at: int, text: str) -> Sequence[Message]:
    """With a text behind that of the message at `at`."""
    content = messages[at].get("content")
    new = [*content, {"type": "text", "text": text}] if isinstance(content, list) else f"{content or ''}\n\n{text}"
    return [*messages[:at], {**messages[at], "content": new}, *messages[at + 1 :]]


def _changed(message: Message, change: Callable[[str], str]) -> Message:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if isinstance(content, list):
        return {**message, "content": [_part(part, change) for part in content]}
    return message


def _part(part: Any, change: Callable[[str], str]) -> Any:
    is_text = isinstance(part, dict) and isinstance(part.get("text"), str)
    return {**part, "text": change(part["text"])} if is_text else part


def _texts(message: Message) -> list[str]:
    content = message.get("content")
    if isinstance(content, list):
        return [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return [content] if isinstance(content, str) else []
