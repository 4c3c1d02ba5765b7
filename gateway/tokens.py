"""Token counts without a network call, for estimates before a request and for answers without usage.

The encodings are those of OpenAI's models, and `bytes`, which bounds every byte-level BPE from above.
"""

from collections.abc import Callable
from functools import cache
from typing import Protocol, cast

from gateway.memory import forget_pages

BYTES = "bytes"

# Counting holds the GIL: 64 KiB of text take 1 to 3 ms, a megabyte takes 20 to 50 ms in which an event loop
# would serve nobody. A text beyond this size is charged by its bytes instead.
TOKENIZED_MAX_BYTES = 64 * 1024


class Tokenizer(Protocol):
    """The part of an rs_bpe tokenizer that is used here. Special tokens are encoded as ordinary text."""

    def count(self, text: str) -> int: ...

    def encode(self, text: str) -> list[int]: ...

    def decode(self, tokens: list[int]) -> str | None:
        """Return the text of `tokens`, or None where they are no whole characters."""


def count_tokens(text: str, encoding: str) -> int:
    """Return how many tokens `text` takes in `encoding`: `o200k_base`, `cl100k_base` or `bytes`.

    Texts over `TOKENIZED_MAX_BYTES`, and texts that are not valid Unicode, give their UTF-8 length, which is
    never too few.
    Raises ValueError for an encoding that is not known.
    """
    size_bytes = _utf8_length(text)
    if encoding == BYTES:
        return size_bytes
    counter = tokenizer(encoding)
    if size_bytes > TOKENIZED_MAX_BYTES:
        return size_bytes
    try:
        return counter.count(text)
    except UnicodeEncodeError:  # a lone surrogate: Python's json module lets them in
        return size_bytes


@cache
def tokenizer(encoding: str) -> Tokenizer:
    """Return the tokenizer of `encoding`, loaded on first use (20 to 50 ms, tens of megabytes) and kept.

    Raises ValueError for an encoding that has none.
    """
    # rs_bpe.openai, the documented module, fails to import in 0.1.0: the extension module is used directly.
    from rs_bpe.bpe import openai

    loaders: dict[str, Callable[[], object]] = {
        "o200k_base": openai.o200k_base,
        "cl100k_base": openai.cl100k_base,
    }
    if encoding not in loaders:
        raise ValueError(f"unknown encoding {encoding!r}: expected one of {', '.join([*loaders, BYTES])}")
    loaded = cast(Tokenizer, loaders[encoding]())
    forget_pages("bpe.")  # its library carries all vocabularies, 45 MB that are read once
    return loaded


def _utf8_length(text: str) -> int:
    if text.isascii():
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))
