"""Texts that go out in pieces, and the log probabilities of their tokens, which go no earlier than they do. Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from gateway.wire.escapes import TextStream


class Text:
    """A text that goes through a stream. `waiting`: what of it was not given out yet, as long as it was not changed."""

    __slots__ = ("fed", "is_same", "stream", "waiting")

    def __init__(self, stream: TextStream) -> None:
        self.stream = stream
        self.fed = 0
        self.waiting = ""
        self.is_same = True

    def feed(self, piece: str) -> str:
        self.fed += len(piece)
        self.waiting += piece
        return self._given(self.stream.feed(piece))

    def finish(self) -> str:
        return self._given(self.stream.finish())

    def has_given(self, characters: int) -> bool:
        """Whether so many have gone out as they came."""
        return self.is_same and self.fed - len(self.waiting) >= characters

    def _given(self, text: str) -> str:
        self.is_same = self.is_same and self.waiting.startswith(text)
        self.waiting = self.waiting[len(text) :] if self.is_same else ""
        return text


class Logprobs:
    """Those of one choice. They repeat its texts: once one of those is changed, none goes out any more."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[list[tuple[Text, int]], Any]] = deque()

    def add(self, logprobs: Any, texts: Sequence[Text]) -> None:
        """Takes those of a piece, when its texts have been fed."""
        self._waiting.append(([(text, text.fed) for text in texts], logprobs))

    def given(self) -> Any:
        """Those of all pieces that have gone out by now, put together; None where there are none."""
        found = []
        if self._waiting and not all(text.is_same for text, _ in self._waiting[-1][0]):
            self._waiting.clear()
        while self._waiting and all(text.has_given(until) for text, until in self._waiting[0][0]):
            found.append(self._waiting.popleft()[1])
        if len(found) < 2:
            return found[0] if found else None
        parts = [each for each in found if isinstance(each, dict)]
        names = dict.fromkeys(name for each in parts for name in each)
        return {name: [token for each in parts for token in each.get(name) or ()] or None for name in names}
