"""A streamed answer put together again: per choice, the message that its chunks spelled out. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

_PREFIX, _END = b"data: ", b"\n\n"
_NAMES = frozenset({"role", "id", "type", "index", "name", "format", "signature"})
"""Fields whose later value takes the place of the earlier one; other texts continue it."""


class _Plain(Struct, forbid_unknown_fields=True):
    """A delta of text and nothing else, as nearly all are."""

    content: str | None = None
    role: str | None = None
    refusal: None = None
    reasoning: None = None
    reasoning_content: None = None
    tool_calls: None = None
    function_call: None = None
    audio: None = None


class _PlainChoice(Struct):
    delta: _Plain | None = None
    message: None = None
    finish_reason: str | None = None
    index: int = 0


class _PlainChunk(Struct):
    choices: list[_PlainChoice] = []


_plain = msgspec.json.Decoder(list[_PlainChunk]).decode
_any = msgspec.json.Decoder().decode


def choices(pieces: Sequence[bytes]) -> list[dict[str, Any]]:
    """The choices in a stream of framed events (`data: …` and an empty line), in the form of a whole answer."""
    # All events in one go: an event is one line, as its line ends are escaped or were joined.
    events = b"".join(pieces).removeprefix(_PREFIX).removesuffix(_END).replace(_END + _PREFIX, b",")
    array = b"[%b]" % events
    try:
        return _of_texts(_plain(array))
    except msgspec.ValidationError:
        return _of_anything(_any(array))


def _of_texts(chunks: list[_PlainChunk]) -> list[dict[str, Any]]:
    texts: dict[int, list[str]] = {}
    about: dict[int, dict[str, str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            index, delta = choice.index, choice.delta
            if index not in texts:
                texts[index], about[index] = [], {}
            if delta is not None:
                if delta.content:
                    texts[index].append(delta.content)
                if delta.role:
                    about[index]["role"] = delta.role
            if choice.finish_reason:
                about[index]["finish_reason"] = choice.finish_reason
    return [_choice(index, "".join(texts[index]), **about[index]) for index in sorted(texts)]


def _choice(index: int, content: str, *, role: str = "assistant", finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "message": {"role": role, "content": content}, "finish_reason": finish_reason}


# --- streams of anything else ----------------------------------------------------------------------------------------


def _of_anything(chunks: list[Any]) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        listed = chunk.get("choices") if isinstance(chunk, dict) else None
        for choice in listed if isinstance(listed, list) else ():
            _add(found, choice)
    return [_joined(found[index]) for index in sorted(found)]


def _add(found: dict[int, dict[str, Any]], choice: Any) -> None:
    if not isinstance(choice, dict):
        return
    index = choice.get("index")
    index = index if isinstance(index, int) else 0
    whole = found.get(index)
    if whole is None:
        whole = found[index] = {"index": index, "message": {}, "finish_reason": None}
    delta = choice.get("delta") or choice.get("message")
    if isinstance(delta, dict):
        _merge(whole["message"], delta)
    if choice.get("finish_reason"):
        whole["finish_reason"] = choice["finish_reason"]


def _merge(whole: dict[str, Any], delta: dict[str, Any]) -> None:
    """Adds a delta. Texts that go on are kept as lists of their pieces until the end: joining them each time would take
    as long as the square of their length."""
    for name, value in delta.items():
        if value is None:
            continue
        known = whole.get(name)
        if isinstance(value, str):
            if name in _NAMES or not isinstance(known, _Text):
                whole[name] = value if name in _NAMES else _Text((value,))
            else:
                known.append(value)
        elif isinstance(value, dict):
            if not isinstance(known, dict):
                known = whole[name] = {}
            _merge(known, value)
        elif isinstance(value, list):
            if not isinstance(known, _Parts):
                known = whole[name] = _Parts()
            known.add(value)
        else:
            whole[name] = value


class _Text(list[str]):
    """The pieces of a text."""


class _Parts:
    """The elements of a list, of which each says by `index` which one it continues; without one it is new."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._numbered: dict[int, dict[str, Any]] = {}

    def add(self, values: list[Any]) -> None:
        for value in values:
            index = value.get("index") if isinstance(value, dict) else None
            if not isinstance(index, int):
                self.all.append(value)
                continue
            if index not in self._numbered:
                self._numbered[index] = {}
                self.all.append(self._numbered[index])
            _merge(self._numbered[index], value)


def _joined(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _joined(inner) for name, inner in value.items()}
    if isinstance(value, _Parts):
        return [_joined(inner) for inner in value.all]
    return value
