"""Guard `dictionaries`: words of a tenant that are not to pass, millions of them, whole or as beginnings. Pure.

An entry is one word or several, at most `ENTRY_MOST` characters. Compiled, a dictionary is a trie (marisa) of its
entries in the form in which texts are looked at: folded, in lower case, spaces made one. It is matched where a word
begins, and ends where one ends; in scripts without spaces each character is such a place.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import marisa_trie
from msgspec import Struct

from gateway.guards.base import CORE_MOST, Action, Finder, Guard, Guarding, Terms, WordList
from gateway.guards.folding import fold

NAME = "dictionaries"
ENTRY_MOST = 60
ENTRIES_MOST = 5_000_000
LEAST = 2

_CJK = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Scripts that write no spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""

_BEGINS = re.compile(rf"(?<![^\W{_CJK}])\w|(?<=[{_CJK}])\w|(?<![\s\w])[^\w\s](?=\w)")
_INSIDE = re.compile(rf"[^\W{_CJK}]")
_WIDE = re.compile(r"[\t\n\r\f\v]|  ")
_SPACES = re.compile(r"\s+")
_TAIL = rf"[^\W{_CJK}]"


class WrongEntry(ValueError):
    """An entry that no text could match, or too many; the text is for whoever uploaded it."""


def normal(entry: str) -> str:
    """An entry as texts are looked at."""
    return _SPACES.sub(" ", fold(entry)).strip().lower()


def checked(entries: Iterable[str]) -> Iterator[str]:
    """The entries to compile, in their normal form; empty ones and those from `#` on are passed over.

    Raises:
        WrongEntry: one is too long or too short, or there are more than `ENTRIES_MOST`.
    """
    count = 0
    for line, entry in enumerate(entries, 1):
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        word = normal(entry)
        if not LEAST <= len(word) <= ENTRY_MOST:
            raise WrongEntry(f"Entry {line} has {len(word)} characters; {LEAST} to {ENTRY_MOST} can be matched.")
        if not (word[0].isalnum() or word[1].isalnum()):
            raise WrongEntry(f"Entry {line} begins with more than one sign; it must begin with a letter or a digit.")
        count += 1
        if count > ENTRIES_MOST:
            raise WrongEntry(f"There are more than {ENTRIES_MOST:,} entries.")
        yield word


def compiled(entries: Iterable[str]) -> tuple[bytes, int]:
    """A dictionary as it is kept, and how many entries it has, each once.

    Raises:
        WrongEntry: as `checked` says.
    """
    trie = marisa_trie.Trie(checked(entries))
    return trie.tobytes(), len(trie)


def entries_of(data: bytes) -> Iterator[str]:
    """The entries of a compiled dictionary, in their normal form."""
    return iter(loaded(data)) if data else iter(())


def loaded(data: bytes) -> marisa_trie.Trie:
    trie = marisa_trie.Trie()
    trie.frombytes(data)
    return trie


class Dictionary(Struct, frozen=True, kw_only=True):
    """Finds the entries of one dictionary; a `Finder`."""

    name: str
    trie: marisa_trie.Trie
    prefixes: bool
    guard: str = NAME
    tail: str = ""
    first: int = 40
    shows: int = 0

    def search(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        for place in _BEGINS.finditer(text, start):
            at = place.start()
            if at >= end:
                return None
            if length := self._length(text, at):
                return at, at + length
        return None

    def _length(self, text: str, at: int) -> int:
        """How many characters at this place are the longest entry; 0 where there is none."""
        part = text[at : at + CORE_MOST + 1]
        entries = self.trie.prefixes(lowered(part))
        if not entries and not _WIDE.search(part):
            return 0
        lengths = [len(entry) for entry in entries]
        if _WIDE.search(part):
            narrow, places = narrowed(part)
            lengths = [places[len(entry)] for entry in self.trie.prefixes(lowered(narrow))]
        return max((length for length in lengths if self._ends(part, length)), default=0)

    def _ends(self, part: str, length: int) -> bool:
        return (
            self.prefixes
            or length >= len(part)
            or not (_INSIDE.match(part, length) and _INSIDE.match(part, length - 1))
        )


def lowered(text: str) -> str:
    """In lower case, each character by one."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(each.lower()[:1] for each in text)


def narrowed(text: str) -> tuple[str, list[int]]:
    """With one space for several, and for each length of it how long that was."""
    kept: list[str] = []
    places = [0]
    for match in re.finditer(r"\s+|\S", text):
        kept.append(" " if match[0].isspace() else match[0])
        places.append(match.end())
    return "".join(kept), places


_loaded: dict[tuple[int, int], marisa_trie.Trie] = {}
_LOADED_MOST = 64


def finder(words: WordList) -> Dictionary:
    """What finds its entries. Of each version one trie is kept, whatever policies name it."""
    key = (words.dictionary_id, words.version)
    if key not in _loaded:
        if len(_loaded) >= _LOADED_MOST:
            _loaded.pop(next(iter(_loaded)))
        _loaded[key] = loaded(words.compiled)
    tail = _TAIL if words.prefixes else ""
    return Dictionary(name=words.name, trie=_loaded[key], prefixes=words.prefixes, tail=tail)


def finders(guarding: Guarding, terms: Terms) -> Sequence[Finder]:
    """Of each dictionary of the tenant that has entries, or of those that the rule names."""
    return [
        finder(words)
        for words in guarding.dictionaries
        if words.compiled and (not terms.rules or words.name in terms.rules)
    ]


GUARD = Guard(
    name=NAME,
    title="Dictionaries",
    help="The tenant's own dictionaries: names, project words, customers. Which of them count can be chosen by name.",
    actions=tuple(Action),
    finders=finders,
)
