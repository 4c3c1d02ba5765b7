"""How unlike words a text is: keys and generated passwords are, names and prose are not. Pure."""

import re
from itertools import pairwise

_USUAL_AFTER = {
    "a": "bcdgiklmnprstuvwxy",
    "b": "aceijlorsuy",
    "c": "acehiklmorstu",
    "d": "adeilorstu",
    "e": "abcdefgilmnopqrstuvwxy",
    "f": "aefilorstu",
    "g": "aehilnorsu",
    "h": "aeiort",
    "i": "abcdefglmnoprstvxz",
    "j": "aeou",
    "k": "aeis",
    "l": "acdeilopstuy",
    "m": "abdeimopstu",
    "n": "acdefgiklnopstuv",
    "o": "abcdfgiklmnoprstuvw",
    "p": "aehiloprstuy",
    "q": "u",
    "r": "acdefgiklmnoprstuvy",
    "s": "acehiklmopstuy",
    "t": "acdefhilmnoprstuy",
    "u": "abcdefgilmnprst",
    "v": "aei",
    "w": "aeinors",
    "x": "ceipt",
    "y": "enpst",
    "z": "ei",
}
"""The letters that follow another in 95 of 100 pairs of the distinct words of Python's documentation and library."""

_USUAL = {first + second for first, seconds in _USUAL_AFTER.items() for second in seconds}
_SEPARATORS = frozenset("_-./: ")


def oddness(text: str) -> float:
    """The share of neighbours that words do not have: 0 for `user_name`, about 0.6 for random letters and digits.

    Odd are two letters that seldom follow each other, and a change between letters and digits or signs. Two digits are
    not, nor is a small letter before a capital, where a word of camelCase begins: random text has others beside it.
    Separators do not count.
    """
    pairs = odd = 0
    for first, second in pairwise(text):
        verdict = _ODD.get(first + second)
        if verdict is None:
            verdict = _is_odd(first, second)
        pairs += verdict >= 0
        odd += verdict > 0
    return odd / pairs if pairs else 0.0


def _is_odd(first: str, second: str) -> int:
    """1 if they are, 0 if not, -1 if they do not count."""
    if first in _SEPARATORS or second in _SEPARATORS:
        return -1
    if first.isdigit() and second.isdigit():
        return 0
    if not (first.isalpha() and second.isalpha()):
        return 1
    if first.islower() and second.isupper():
        return 0
    return (first + second).lower() not in _USUAL


_ASCII = [chr(code) for code in range(33, 127)]
_ODD = {first + second: int(_is_odd(first, second)) for first in _ASCII for second in _ASCII}
"""Of all pairs of ASCII."""


_IN_ORDER = frozenset(
    run[at : at + 8]
    for run in ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl")
    for at in range(len(run) - 7)
)
_IN_EACH = re.compile("4567|abc|fgh|klm|pqr|uvw|ertyu|dfghj")
"""One of these is in each of them."""


def is_in_order(text: str) -> bool:
    """Whether eight neighbours in it are neighbours in the alphabet, among the digits or on a keyboard."""
    text = text.lower()
    return _IN_EACH.search(text) is not None and any(text[at : at + 8] in _IN_ORDER for at in range(len(text) - 7))
