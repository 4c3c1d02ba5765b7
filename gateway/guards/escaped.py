"""Undoes escapes where they stand, amid what is not encoded: percent, `\\u0041`, `\\x41`, `&#65;`, quoted-printable."""

import re
from binascii import a2b_hex
from collections.abc import Callable, Iterator
from functools import lru_cache
from html import unescape

from gateway.guards.base import CONTEXT_MOST, CORE_MOST
from gateway.guards.folding import fold
from gateway.guards.views import View

_H = "[0-9A-Fa-f]"
_ESCAPES = re.compile(
    rf"%(?:[0-7]{_H}|[CDcd]{_H}%[89ABab]{_H}|[Ee]{_H}(?:%[89ABab]{_H}){{2}}|[Ff][0-7](?:%[89ABab]{_H}){{3}})"
    rf"|[\\%]u[Dd][89ABab]{_H}{{2}}[\\%]u[Dd][C-Fc-f]{_H}{{2}}|[\\%]u{_H}{{4}}|\\U{_H}{{8}}"
    rf"|\\x{_H}{{2}}|\\u\{{{_H}{{1,6}}\}}|U\+{_H}{{4}}"
    rf"|&(?:#\d{{1,9}};?|#[xX]{_H}{{1,8}};?|[A-Za-z]{{2,8}};)|\\[0-3][0-7]{{2}}"
)
_QUOTED = re.compile(rf"=(?:{_H}{{2}}|\r?\n)")
_CODES = re.compile(r"[0-9A-Fa-f]{2,}|(?<=\{)[0-9A-Fa-f]")
_WRITTEN_WITH = {"%": "%", "\\": r"\\", "&": "&#;", "=": "=", "U": "+"}
_ESCAPE_MOST = 12
_APART = 2 * (CONTEXT_MOST + CORE_MOST)

ESCAPE_SCAN = r"%[0-9A-Fa-f]{2}|[\\%][uUx][{0-9A-Fa-f]|&#[0-9xX]|&[A-Za-z]{2,8};|U\+[0-9A-Fa-f]{4}|\\[0-3][0-7]{2}"
QUOTED_SCAN = r"=[0-9A-Fa-f]{2}|=\r?\n"


def escapes(view: View) -> Iterator[View]:
    """The parts of the text in which there are escapes, with these undone."""
    return _unescaped(view, _ESCAPES, _character)


def quoted(view: View) -> Iterator[View]:
    """The parts with quoted-printable (RFC 2045), undone."""
    return _unescaped(view, _QUOTED, _quoted_character)


def _unescaped(view: View, escape: re.Pattern[str], character: Callable[[str], str]) -> Iterator[View]:
    near: list[re.Match[str]] = []
    for found in escape.finditer(view.text, view.begin):
        if near and found.start() - near[-1].end() > _APART:
            yield _around(view, near, character)
            near = []
        near.append(found)
    if near:
        yield _around(view, near, character)


def _around(view: View, near: list[re.Match[str]], character: Callable[[str], str]) -> View:
    """A view of some escapes and of what stands around them."""
    text = view.text
    begin = max(view.begin, near[0].start() - CORE_MOST)
    at = max(0, begin - CONTEXT_MOST)
    begin -= at
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    for found in near:
        first, last = found.span()
        if at < first:
            _copy(view, range(at, first), parts, starts, ends)
        parts.append(instead := character(found[0]))
        for _ in instead:
            starts.append(view.start(first))
            ends.append(view.end(last - 1))
        at = last
    _copy(view, range(at, min(len(text), at + CORE_MOST + 1)), parts, starts, ends)
    return View(
        "".join(parts),
        starts,
        ends,
        begin=begin,
        margin=view.margin + _ESCAPE_MOST,
        also=[_WRITTEN_WITH[found[0][0]] for found in near],
        run=view.run,
        layers=(*view.layers, [view.start(found.start()) for found in near]),
    )


def _copy(view: View, places: range, parts: list[str], starts: list[int], ends: list[int]) -> None:
    parts.append(view.text[places.start : places.stop])
    if view.shrinks:
        starts.extend(map(view.start, places))
        ends.extend(map(view.end, places))
    else:
        starts.extend(places)
        ends.extend(range(places.start + 1, places.stop + 1))


@lru_cache(2**12)
def _character(escape: str) -> str:
    """What an escape stands for, folded."""
    if escape[1].isdigit() and escape[0] == "\\":
        return fold(chr(int(escape[1:], 8)))
    if escape[0] == "&":
        return fold(unescape(escape))
    if escape[0] == "%" and escape[1] != "u":
        return fold(a2b_hex(escape.replace("%", "")).decode(errors="replace"))
    codes = [int(code, 16) for code in _CODES.findall(escape)]
    if len(codes) == 2:
        return fold(chr(0x10000 + ((codes[0] & 0x3FF) << 10) + (codes[1] & 0x3FF)))
    return fold(chr(codes[0])) if codes and codes[0] <= 0x10FFFF else ""


@lru_cache(2**9)
def _quoted_character(escape: str) -> str:
    return "" if escape[-1] == "\n" else fold(chr(int(escape[1:], 16)))
