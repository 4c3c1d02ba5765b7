"""What a model has written so far: its text, and how many tokens that is."""

import time

from gateway.tokens import BYTES, count_tokens

ESTIMATED_WITH = "o200k_base"
"""Counts answers of models whose own tokenizer is not known."""

SLICE_CHARS = 16_000
"""Short enough to be tokenized; a cut between two slices adds a token at most."""

BYTES_PER_CHAR = 4

Mark = tuple[int, int, int, int]


class Produced:
    """Collects pieces of text as they pass through. `began_at` (`time.perf_counter`): when the first one did."""

    __slots__ = ("_counted", "_pending", "_pending_most", "_pieces", "began_at", "bytes_most", "tokenizer")

    def __init__(self, tokenizer: str = BYTES) -> None:
        self.tokenizer = tokenizer
        self._pieces: list[str] = []
        self._pending = 0  # the first of the pieces that were not counted yet
        self._pending_most = 0  # tokens that they cannot be more than
        self._counted = 0
        self.began_at: float | None = None
        self.bytes_most = 0

    @property
    def _encoding(self) -> str:
        return self.tokenizer if self.tokenizer != BYTES else ESTIMATED_WITH

    def add(self, text: str) -> None:
        if self.began_at is None:
            self.began_at = time.perf_counter()
        self._pieces.append(text)
        most = len(text) if text.isascii() else BYTES_PER_CHAR * len(text)
        self._pending_most += most
        self.bytes_most += most

    def mark(self) -> Mark:
        """Where it stands now, for `reset`."""
        return len(self._pieces), self._pending, self._pending_most, self._counted

    def reset(self, mark: Mark) -> None:
        """Forgets what was added since."""
        length, self._pending, self._pending_most, self._counted = mark
        del self._pieces[length:]

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def at_most(self) -> int:
        """A bound of the tokens so far, without counting: no token of a byte-level BPE is shorter than a byte."""
        return self._counted + self._pending_most

    def about(self) -> int:
        """The tokens so far, each piece of text counted once; a cut between two counts may add one.

        Where the model's tokenizer is not known, they are bounded by bytes, as another one would count too few.
        """
        if self.tokenizer == BYTES:
            return self.at_most()
        if self._pending < len(self._pieces):
            self._counted += _count("".join(self._pieces[self._pending :]), self._encoding)
            self._pending, self._pending_most = len(self._pieces), 0
        return self._counted

    def tokens(self) -> int:
        """The tokens of the whole text."""
        return _count(self.text, self._encoding)


def _count(text: str, encoding: str) -> int:
    if len(text) <= SLICE_CHARS:
        return count_tokens(text, encoding)
    slices = (text[start : start + SLICE_CHARS] for start in range(0, len(text), SLICE_CHARS))
    return sum(count_tokens(part, encoding) for part in slices)
