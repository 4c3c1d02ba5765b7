"""One text in the ways in which a model may read it: normalised, with its letters put together, or what nobody sees."""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from gateway.guards.folding import CONTROLS, NOT_PLAIN, ascii_by, fold

_APART = bytes(code if code >= 128 or chr(code).isalnum() else 32 for code in bytes(range(256)).lower())
_NOT_LETTERS = bytes(code for code in range(256) if not 97 <= code <= 122)
_PUNCTUATION = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc\u00b4", "'")
    | dict.fromkeys("“”„«»‹›…—–‒―、。，！？：；「」『』（）【】·•・", " ")
)
_OTHER_SCRIPTS = re.compile("[\u0370-\u1dff\u2c00-\ud7ff]")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_LEET = str.maketrans(
    {
        "0": "o",
        "1": "i",
        "2": "z",
        "3": "e",
        "4": "a",
        "5": "s",
        "6": "g",
        "7": "t",
        "8": "b",
        "9": "g",
        "@": "a",
        "$": "s",
        "!": "i",
    }
    | {"|": "i", "€": "e", "£": "l", "(": "c", "<": "c", "+": "t", "l": "i"}
)
_QUOTES_JOINED = re.compile(r"[\"'][ \t]{0,3}(?:\+|\.\.?|&|,|;|\n|and|then)?\s{0,3}(?:\$?\w{1,12}[ \t]?=[ \t]?)?[\"']")
_SPLIT = re.compile(r"(?<=[A-Za-z])[-_.*~^|](?=[A-Za-z])")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")

_UNSEEN = (b"\xf3\xa0", b"\xef\xb8")
"""With which these begin in UTF-8."""


def readable(text: str) -> Iterator[str]:
    """The text as it reads: folded, and where its letters may be those of another script, as these too."""
    if text.isascii():
        yield _seen(text.encode())
        return
    with suppress(UnicodeEncodeError):
        yield _seen(text.encode("ascii", _READ)).lower()
        return
    runs: list[str] = []
    folded = NOT_PLAIN.sub(partial(_folded, runs), text).casefold()
    yield folded
    if not _OTHER_SCRIPTS.search("".join(runs)):
        return
    accented = unicodedata.normalize("NFKD", text.translate(_PUNCTUATION))
    other = unicodedata.normalize("NFC", _ACCENTS.sub("", accented)).casefold()
    if other != folded:
        yield other


def _folded(runs: list[str], found: re.Match[str]) -> str:
    runs.append(found[0])
    return fold(found[0].translate(_PUNCTUATION))


def _seen(data: bytes) -> str:
    """Without control characters, which would stand between the letters of a word."""
    return data.translate(None, CONTROLS).decode("ascii")


def _plainly(run: str) -> str:
    """What a run of characters that are not ASCII reads as; itself if it may be read in another way too."""
    return run if _OTHER_SCRIPTS.search(run) else fold(run.translate(_PUNCTUATION)).casefold()


_READ = ascii_by("portcullis.read", _plainly)


def normal(text: str) -> bytes:
    """Lower case, without punctuation, one space between words and around it all."""
    data = b" " + text.encode("utf-8", "replace").translate(_APART, b"'`") + b" "
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


def loosened(text: str) -> bytes:
    """Its letters alone, with those that digits and signs stand for; `l` is read as `i`, for 1 may be either."""
    return text.lower().translate(_LEET).encode("ascii", "ignore").translate(None, _NOT_LETTERS)


def joined(text: str) -> str:
    """With quoted pieces put together that are added up, or assigned one after another."""
    return _QUOTES_JOINED.sub("", text)


def unsplit(text: str) -> str:
    """Without the marks inside words that split them."""
    return _SPLIT.sub("", text)


def unseen(text: str) -> Iterator[str]:
    """What tag characters and runs of variation selectors spell, which nobody sees but the model."""
    data = text.encode("utf-8", "replace")
    if not any(each in data for each in _UNSEEN):
        return
    if tags := _TAGS.findall(text):
        yield "".join(chr(ord(each) - 0xE0000) for each in "".join(tags))
    for run in _SELECTORS.findall(text):
        codes = map(ord, run)
        yield bytes(code - 0xFE00 if code < 0xFE10 else code - 0xE0100 + 16 for code in codes).decode(errors="replace")
