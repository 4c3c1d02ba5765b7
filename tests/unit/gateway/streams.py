"""A stream of text with the habits of a guard's, simple enough to see that it is right."""

from collections.abc import Iterable, Sequence


class Masking:
    """Masks a word, and holds back what may become one. With `blocks`, that word stops it."""

    def __init__(self, word: str, *, blocks: bool = False) -> None:
        self._word = word
        self._blocks = blocks
        self._held = ""
        self.blocked_by = ""

    @property
    def held(self) -> int:
        return len(self._held)

    def feed(self, text: str) -> str:
        text = self._held + text
        if self._blocks and self._word in text:
            self.blocked_by, self._held = "masking", ""
            return text[: text.index(self._word)]
        text = text.replace(self._word, "*" * len(self._word))
        kept = next(size for size in range(len(self._word) - 1, -1, -1) if text.endswith(self._word[:size]))
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def finish(self) -> str:
        rest, self._held = self._held, ""
        return rest


def in_pieces(text: str, cuts: Iterable[int]) -> Sequence[str]:
    """The text, cut at those places as far as it has them."""
    places = sorted({cut for cut in cuts if cut < len(text)})
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
