"""A stored conversation as people read it: who said what, in order. Pure.

Whatever is in it was written by strangers. Nothing here trusts its shape; characters that hide or reorder text are
shown by their codes, and what is too long for a page is cut. The page's template escapes the rest.
"""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 20_000
"""Of one piece of text on a page."""
MOST_TOTAL = 200_000
"""Of all text on a page."""
MOST_TURNS = 300
HARMLESS = "\n\t\r\u200c\u200d"
"""Line breaks, tabs, and the joiners that emoji and some scripts need."""

ROLES = {
    "system": "System",
    "developer": "Developer",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
    "function": "Tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a message. `kind`: text, refusal, reasoning, call, result or other; `cut`: characters not shown."""

    kind: str
    text: str
    label: str = ""
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message. `is_answer`: it is what the model wrote in this request; the others were sent to it."""

    role: str
    parts: tuple[Part, ...]
    is_answer: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """All turns that fit on a page. `is_cut`: there is more than is shown."""

    turns: tuple[Turn, ...]
    settings: str
    is_cut: bool


def read(content: Any) -> Conversation:
    """The conversation in the content of a transcript (`compliance/transcripts.py` says what that is)."""
    request = _dict(_dict(content).get("request"))
    answer = _dict(content).get("answer")
    page = _Page()
    turns: list[Turn] = []
    for message, choice in _messages(request, _dict(answer)):
        if len(turns) == MOST_TURNS or page.left <= 0:
            page.is_cut = True
            break
        turns.append(_turn(message, page) if choice is None else _answered(message, choice, page))
    others = {name: value for name, value in request.items() if name != "messages"}
    settings = page.part("other", _json(others)).text if others else ""
    return Conversation(turns=tuple(turns), settings=settings, is_cut=page.is_cut)


def visible(text: str) -> str:
    """The text with a code, as ⟨U+202E⟩, in place of each character that would hide or reorder others."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([_code(character) if _is_hidden(character) else character for character in text])


class _Page:
    """How much room is left on a page."""

    def __init__(self) -> None:
        self.left = MOST_TOTAL
        self.is_cut = False

    def part(self, kind: str, text: str, label: str = "") -> Part:
        room = max(0, min(MOST_CHARACTERS, self.left))
        shown, cut = text[:room], max(0, len(text) - room)
        self.left -= len(shown)
        self.is_cut |= cut > 0
        return Part(kind=kind, text=visible(shown), label=visible(label[:200]), cut=cut)


def _messages(request: dict[str, Any], answer: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """What was sent, with None; then what was answered, with a note about it."""
    for message in _list(request.get("messages")):
        yield _dict(message), None
    choices = _list(answer.get("choices"))
    for number, each in enumerate(choices, 1):
        choice = _dict(each)
        ended = choice.get("finish_reason")
        notes = (f"{number} of {len(choices)}" if len(choices) > 1 else "", f"ended: {ended}" if ended else "")
        yield _dict(choice.get("message")), ", ".join(note for note in notes if note)


def _turn(message: dict[str, Any], page: _Page) -> Turn:
    role = str(message.get("role", ""))
    name = message.get("name") or message.get("tool_call_id")
    note = visible(str(name)[:100]) if name else ""
    return Turn(role=_role(role), parts=tuple(_parts(message, page)), note=note)


def _answered(message: dict[str, Any], note: str, page: _Page) -> Turn:
    role = str(message.get("role") or "assistant")
    return Turn(role=_role(role), parts=tuple(_parts(message, page)), is_answer=True, note=visible(note[:100]))


def _role(role: str) -> str:
    return ROLES.get(role) or visible(role[:50]) or "Unknown"


def _parts(message: dict[str, Any], page: _Page) -> Iterator[Part]:
    for name in ("reasoning_content", "reasoning"):
        if isinstance(text := message.get(name), str) and text:
            yield page.part("reasoning", text)
    yield from _contents(message, page)
    if isinstance(refusal := message.get("refusal"), str) and refusal:
        yield page.part("refusal", refusal)
    for call in [*_list(message.get("tool_calls")), *_list([message.get("function_call")])]:
        if call:
            yield _call(_dict(call), page)


def _contents(message: dict[str, Any], page: _Page) -> Iterator[Part]:
    content = message.get("content")
    kind = "result" if message.get("role") in ("tool", "function") else "text"
    if isinstance(content, str):
        if content:
            yield page.part(kind, content)
        return
    for item in _list(content):
        piece = _dict(item)
        match piece.get("type"):
            case "text" if isinstance(piece.get("text"), str):
                yield page.part(kind, piece["text"])
            case "refusal":
                yield page.part("refusal", str(piece.get("refusal", "")))
            case other:
                yield page.part("other", _json(item), str(other or ""))


def _call(call: dict[str, Any], page: _Page) -> Part:
    function = _dict(call.get("function") or call.get("custom") or call)
    arguments = function.get("arguments", function.get("input", ""))
    return page.part("call", _pretty(arguments), str(function.get("name", "")))


def _pretty(arguments: Any) -> str:
    """Arguments are JSON in a string, if the model kept to it."""
    if not isinstance(arguments, str):
        return _json(arguments)
    try:
        return _json(json.loads(arguments))
    except (ValueError, RecursionError):
        return arguments


def _json(value: Any) -> str:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return str(value)


def _is_hidden(character: str) -> bool:
    """Controls, marks of direction and other formats, surrogates; but not what breaks lines or joins letters."""
    return character not in HARMLESS and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def _code(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_file(content: Any) -> str:
    """The whole content as a file of JSON, in ASCII alone: nothing in it hides."""
    return json.dumps(content, indent=2)
