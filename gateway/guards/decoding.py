"""Finds what is encoded in a text, and gives the decoded texts as views of it, to be looked at like the text itself.

Escapes (percent, `\\u0041`, `\\x41`, `&#65;`, `&amp;`, quoted-printable) are decoded where they stand, amid what is not
encoded. Runs (base64, base32, hexadecimal) are views of their own, one for each way in which their groups may be
aligned: so it does not matter where a run began, which a stream may have forgotten.
"""

import re
from binascii import a2b_base64, a2b_hex
from collections.abc import Callable, Iterator

from gateway.guards.escaped import ESCAPE_SCAN, QUOTED_SCAN, escapes, quoted
from gateway.guards.runs import has_text, texts
from gateway.guards.scanning import scanner_of
from gateway.guards.views import View

DEEPEST = 3
"""Encodings in encodings that are undone."""

_FEW = 8
_RUN_LEAST = 16

_OF_NUMBERS = r"(?:[I-O][A-Za-z0-9+/]{3}){3}"
"""Base64 of nine characters such as numbers are written with: what is so short is hardly ever a word."""

BASE64_SCAN = rf"[A-Za-z0-9+/_-]{{16}}|[A-Za-z0-9+/]{{10}}=|{_OF_NUMBERS}"
BASE32_SCAN = r"[A-Z2-7]{16}|[a-z2-7]{16}|[A-Z2-7]{10}="
HEX_SCAN = r"[0-9A-Fa-f]{16}"
HEX_APART_SCAN = r"(?:[0-9A-Fa-f]{2}[ ,:;\t\r\n-]{1,2}(?:0x)?){7}"

_BASE64 = re.compile(
    r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{16,})*(?:\r?\n[A-Za-z0-9+/_-]+)?|[A-Za-z0-9+/]{10,15}(?==)"
    rf"|{_OF_NUMBERS}"
)
_BASE32 = re.compile(r"[A-Z2-7]{16,}|[a-z2-7]{16,}|[A-Z2-7]{10,15}(?==)")
_HEX = re.compile(r"[0-9A-Fa-f]{16,}")
_HEX_APART = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x)?[0-9A-Fa-f]{2}[ ,:;\t\r\n-]{1,2}){7,}(?:0x)?[0-9A-Fa-f]{2}")
_HEX_PAIR = re.compile(r"(?:0x)?([0-9A-Fa-f]{2})")
_NO_BASE64 = "////"
_NO_BASE32 = "77777777"
"""Stand for no text: between runs that are decoded together, to see whether any of them is worth it by itself."""

_NEWLINE = re.compile(r"\r?\n")
_BASE32_DIGITS = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567abcdefghijklmnopqrstuvwxyz",
    "0123456789abcdefghijklmnopqrstuv0123456789abcdefghijklmnop",
)
_URL_SAFE = str.maketrans("-_", "+/")


def base64(view: View) -> Iterator[View]:
    """What base64 (RFC 4648, both alphabets, in one line or in many) stands for, in every alignment."""
    # of three bytes that digits stand for, one is never ASCII
    found = [each for each in _runs(view, BASE64_SCAN, _BASE64) if not each[0].isdigit()]
    runs = [_NEWLINE.sub("", each[0]).translate(_URL_SAFE) for each in found]
    every = [run[skip:] + "AAA"[(len(run) - skip - 1) % 4 :] for run in runs for skip in range(4)]
    if not every or not has_text(_from_base64(_NO_BASE64.join(every))):
        return
    for skip in range(4):
        if has_text(_from_base64(_NO_BASE64.join(every[skip::4]))):
            for each, run in zip(found, runs, strict=True):
                yield from texts(view, _places(each), skip, _from_base64(run[skip:]), 6)


def base32(view: View) -> Iterator[View]:
    """The same of base32 (RFC 4648), in either case."""
    found = list(_runs(view, BASE32_SCAN, _BASE32))
    runs = [each[0] for each in found]
    every = [run[skip:] + "AAAAAAA"[(len(run) - skip - 1) % 8 :] for run in runs for skip in range(8)]
    if not every or not has_text(_from_base32(_NO_BASE32.join(every))):
        return
    for skip in range(8):
        if has_text(_from_base32(_NO_BASE32.join(every[skip::8]))):
            for each, run in zip(found, runs, strict=True):
                yield from texts(view, range(*each.span()), skip, _from_base32(run[skip:]), 5)


def hexadecimal(view: View) -> Iterator[View]:
    """The same of hexadecimal digits in one run."""
    for found in _runs(view, HEX_SCAN, _HEX):
        for skip in range(2):
            pairs = found[0][skip : skip + ((len(found[0]) - skip) & ~1)]
            yield from texts(view, range(*found.span()), skip, a2b_hex(pairs), 4)


def hexadecimal_apart(view: View) -> Iterator[View]:
    """The same of pairs of hexadecimal digits with something between them, as `34 31` and `0x34, 0x31`."""
    for found in _HEX_APART.finditer(view.text, view.begin):
        digits = [place for pair in _HEX_PAIR.finditer(view.text, *found.span()) for place in range(*pair.span(1))]
        yield from texts(view, digits, 0, a2b_hex("".join(map(view.text.__getitem__, digits))), 4)


def _runs(view: View, scan: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """All matches of `pattern`, for which `scan` occurs within `_RUN_LEAST` characters of where each begins. While they
    are few, the one pass looks for them, as an expression is tried at every place."""
    data, at = view.text.encode("ascii", "replace"), view.begin
    scanner = scanner_of((scan,))
    for _ in range(_FEW):
        end = scanner.occurring(data[at:]).get(0)
        found = pattern.search(view.text, at + max(0, end - _RUN_LEAST)) if end else None
        if found is None:
            return
        yield found
        at = found.end()
    yield from pattern.finditer(view.text, at)


def _places(found: re.Match[str]) -> range | list[int]:
    """Where the characters of a run stand, without its line breaks."""
    if "\n" not in found[0]:
        return range(*found.span())
    return [place for place, character in enumerate(found[0], found.start()) if character not in "\r\n"]


def _from_base64(run: str) -> bytes:
    left = len(run) % 4
    return a2b_base64(run[:-1] if left == 1 else run + "=" * (-left % 4))


def _from_base32(run: str) -> bytes:
    """What `base64.b32decode` gives, without the bits that are left over, and at a tenth of the time."""
    left = 5 * len(run) % 8
    return (int(run.translate(_BASE32_DIGITS), 32) >> left).to_bytes(5 * len(run) // 8, "big")


DECODERS: tuple[tuple[str, Callable[[View], Iterator[View]]], ...] = (
    (ESCAPE_SCAN, escapes),
    (QUOTED_SCAN, quoted),
    (BASE64_SCAN, base64),
    (BASE32_SCAN, base32),
    (HEX_SCAN, hexadecimal),
    (HEX_APART_SCAN, hexadecimal_apart),
)
"""Where each is worth a try, and what it decodes."""
