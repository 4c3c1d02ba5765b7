"""Rewrites a streamed answer while it passes: each text of each choice goes through a stream of its own. Pure.

An event of which no text is changed passes as it came. What a text holds back comes as soon as it is decided, at the
latest in an event before the one that ends its choice.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.wire.chunks import NOT_WRITTEN, SHELL, Path, bare, is_mark, number, place, says_something
from gateway.wire.escapes import TextStream
from gateway.wire.opaque import inner_name
from gateway.wire.pieces import Logprobs, Text
from gateway.wire.texts import JSON_TEXTS, is_chosen, is_no_text
from gateway.wire.tokens import spell
from gateway.wire.twice import has_twice
from gateway.wire.vocabulary import STRUCTURE

Make = Callable[[str, bool], TextStream]
"""Begins the stream of a text, given its place and whether it is JSON."""

TEXTS_MOST = 10_000
"""Of one answer, that go on from event to event. Each call of a tool has two."""

_GO_ON = frozenset({"content", "tool_calls", "reasoning_details", "reasoning", "thinking", "parts"})
"""Arrays whose elements continue those of the chunk before, also where no `index` says so."""

_STILL = STRUCTURE | {"id", "type", "call_id", "tool_call_id", "format", "audio.data"}
"""Fields that are whole wherever they come."""

_MOST_BEFORE = 256
"""Characters of a name by which its next piece is looked at; no match begins so far before."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Rewriter:
    """One stream. `blocked_by`: whose text stopped it; after the event in which that was found, nothing goes out."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._texts: dict[Path, Text] = {}
        self._logprobs: dict[int, Logprobs] = {}
        self._names: dict[Path, str] = {}
        self._begun = 0
        self._written: dict[Path, str] = {}
        self._ended: set[int] = set()
        self._shells: dict[Path, dict[str, Any]] = {}
        self._marks: dict[str, Any] = {}
        self._harmless: set[str] = set()
        self._is_changed = False
        self.blocked_by = ""

    def event(self, data: bytes) -> list[bytes]:
        """What goes out in place of an event: itself, another, several, or nothing yet.

        Raises:
            ValueError: it cannot be read, has too many texts, or goes on with a choice that has ended.
        """
        if self.blocked_by:
            return []
        try:
            chunk = _decode(data)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(chunk, dict):
            raise ValueError("not a chunk")
        rewritten = self._chunk(chunk)
        if rewritten is None:
            return [_encode(chunk) if has_twice(data, chunk) else data]
        return [_encode(each) for each in rewritten]

    def finish(self) -> list[bytes]:
        """What is still held back, of all choices."""
        choices = dict.fromkeys(int(path[0]) for path in self._texts) if not self.blocked_by else ()
        return [_encode(event) for choice in choices for event in self._rest_of(choice)]

    def _chunk(self, chunk: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The chunks that go out in place of one; None: it as it is."""
        is_changed = False
        rests: list[dict[str, Any]] = []
        choices = chunk.get("choices")
        self._is_changed = False
        about = self._about(chunk)
        is_changed |= self._is_changed
        self._marks = about
        if isinstance(choices, list):
            found = []
            for choice in choices:
                self._is_changed = False
                found.append(self._of_choice(choice))
                if isinstance(choice, dict) and choice.get("finish_reason"):
                    rests += self._rest_of(number(choice))
                    self._ended.add(number(choice))
                is_changed |= self._is_changed
            about = {**about, "choices": found}
        if self.blocked_by:
            return [*self._before(about), *rests]
        if rests:
            return [*self._before(about), *rests, bare(about)]
        if is_changed:
            return [about] if says_something(about) else []
        return None

    def _about(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """What stands beside the choices."""
        found: dict[str, Any] = {}
        for name, value in chunk.items():
            if name not in NOT_WRITTEN:
                found[self._name(name)] = self._whole(value, name)
            elif name == "choices":
                found[name] = value if isinstance(value, list | None) else self._whole(value, name)
            elif is_mark(value):
                found[name] = value
            else:
                found[name] = self._name(value) if isinstance(value, str) else self._whole(value, name)
        return found

    def _of_choice(self, choice: Any) -> Any:
        if not isinstance(choice, dict):
            return self._whole(choice, "choices")
        of_choice = number(choice)
        found = {}
        for name, value in choice.items():
            if name in ("delta", "message", "text"):
                found[name] = self._through(value, name, (of_choice, name))
            else:
                found[self._name(name)] = value if name == "logprobs" else self._whole(value, name)
        if own := choice.get("logprobs"):
            logprobs = self._logprobs.setdefault(of_choice, Logprobs())
            if spell(own, choice.get("delta")):
                logprobs.add(own, [text for path, text in self._texts.items() if path[0] == of_choice])
        if of_choice in self._logprobs:
            found["logprobs"] = self._logprobs[of_choice].given()
            self._is_changed |= found["logprobs"] is not own
        return found

    # --- texts that go on, piece by piece ---------------------------------------------------------------------------

    def _through(self, value: Any, name: str, path: Path) -> Any:
        if isinstance(value, str):
            return self._piece(value, name, path)
        if isinstance(value, dict):
            found: dict[str, Any] = {}
            for inner, part in value.items():
                new_name = self._field(inner, (*path, inner), found)
                found[new_name] = self._through(part, inner_name(inner, name), (*path, inner))
            if len(path) > 1 and isinstance(path[-1], int):
                self._shells[path] = {name: found[name] for name in SHELL if name in found}
            return found
        if isinstance(value, list):
            return [self._element(part, name, (*path, n), path) for n, part in enumerate(value)]
        return value

    def _element(self, part: Any, name: str, path: Path, of_list: Path) -> Any:
        if isinstance(part, dict) and part.get("index") is not None:
            return self._through(part, name, (*of_list, number(part)))
        return self._through(part, name, path) if name in _GO_ON else self._whole(part, name)

    def _piece(self, piece: str, name: str, path: Path) -> str:
        if not piece:
            return piece
        if name == "type":  # clients take the last one
            return str(self._whole(piece, name))
        if name in _STILL and is_no_text(name, piece):
            return piece
        if name in _STILL or name == "name":
            return self._of_name(piece, path)
        self._refuse_after_end(path)
        text = self._texts.get(path)
        if text is None:
            self._count_one()
            text = self._texts[path] = Text(self._make(place(path), name in JSON_TEXTS))
        return self._noted(text.stream, piece, text.feed(piece))

    def _of_name(self, piece: str, path: Path) -> str:
        """Of the name of a tool, and of what else is whole, nothing is held back: clients read it out of the event that
        begins the call. Where it comes in several pieces after all, each is looked at behind those before it."""
        self._refuse_after_end(path)
        before = self._names.get(path, "")
        if path not in self._names:
            self._count_one()
        known = before + piece
        self._names[path] = known[-_MOST_BEFORE:]
        text = self._make(place(path), False)
        new = self._noted(text, known, text.feed(known) + text.finish())
        if new == known:
            return piece
        return new[len(before) :] if new.startswith(before) else new

    def _count_one(self) -> None:
        self._begun += 1
        if self._begun > TEXTS_MOST:
            raise ValueError("too many texts")

    def _refuse_after_end(self, path: Path) -> None:
        """Looked at on its own, what comes behind the end of a choice might be the other half of what a guard finds."""
        if path[0] in self._ended:
            raise ValueError("a choice goes on after its end")

    def _rest_of(self, of_choice: int) -> list[dict[str, Any]]:
        """The events with what the texts of a choice hold back; its texts are over then."""
        events: list[dict[str, Any]] = []
        for path in [path for path in self._texts if path[0] == of_choice]:
            if self.blocked_by:
                break
            text = self._texts.pop(path)
            rest = text.finish()
            self.blocked_by = text.stream.blocked_by
            if rest:
                events.append(self._event(path, rest))
        if events and of_choice in self._logprobs:
            events[-1]["choices"][0]["logprobs"] = self._logprobs[of_choice].given()
        return events

    def _event(self, path: Path, text: str) -> dict[str, Any]:
        """A chunk with nothing but a piece of one text."""
        value: Any = text
        for position in range(len(path) - 1, 0, -1):
            step = path[position]
            if isinstance(step, str):
                value = {self._written.get(path[: position + 1], step): value}
            else:
                value = [{**self._shells.get(path[: position + 1], {}), **value} if isinstance(value, dict) else value]
        choice = {"index": path[0], **value, "finish_reason": None}
        marks = {name: self._marks[name] for name in NOT_WRITTEN if name in self._marks and name != "obfuscation"}
        return {**marks, "choices": [choice], **({"usage": None} if "usage" in marks else {})}

    # --- texts that are whole where they stand ----------------------------------------------------------------------

    def _whole(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            if is_no_text(name, value):
                return value
            text = self._make(name, name in JSON_TEXTS)
            return self._noted(text, value, text.feed(value) + text.finish())
        if isinstance(value, dict):
            return {self._name(inner): self._whole(part, inner_name(inner, name)) for inner, part in value.items()}
        if isinstance(value, list):
            return [self._whole(part, name) for part in value]
        return value

    def _field(self, name: str, path: Path, beside: dict[str, Any]) -> str:
        """The name of a field as it goes out, in every event the same, and unlike those beside it."""
        new = self._written.get(path)
        if new is None:
            new = self._name(name)
            while new in beside:
                new += "_"
            if new != name:
                self._written[path] = new
        self._is_changed |= new != name
        return new

    def _name(self, name: str) -> str:
        """The name of a field, which is a text where a model has chosen it."""
        if name in self._harmless or not is_chosen(name):
            return name
        text = self._make("#", False)
        new = self._noted(text, name, text.feed(name) + text.finish())
        if new == name and len(self._harmless) < 1_000:
            self._harmless.add(name)
        return new

    def _noted(self, text: TextStream, old: str, new: str) -> str:
        self._is_changed |= new != old
        self.blocked_by = self.blocked_by or text.blocked_by
        return new

    def _before(self, about: dict[str, Any]) -> list[dict[str, Any]]:
        """What an event says beside that a choice ends, and how much was used."""
        choices = about.get("choices")
        going_on = [{**choice, "finish_reason": None} for choice in choices or () if isinstance(choice, dict)]
        event = {**about, "choices": going_on, **({"usage": None} if "usage" in about else {})}
        return [event] if says_something(event) else []
