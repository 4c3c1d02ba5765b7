"""What encodings and simple ciphers stand for. Each gives plain text, or nothing where there is none of it."""

import quopri
import re
import string
from base64 import a85decode, b32decode, b85decode
from binascii import Error, a2b_base64, a2b_hex
from collections.abc import Callable, Iterator
from html import unescape
from urllib.parse import unquote

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_BASE32 = re.compile(r"(?:[A-Z2-7]{16,}|[a-z2-7]{16,})={0,6}")
_BASE85 = re.compile(r"<~(?:[!-;=-u\s]|<(?!~)){10,}~>")
_HEX = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s,:;-]{0,2}){8,}")
_BINARY = re.compile(r"(?:[01]{7,8}[\s,]{0,2}){6,}")
_CODES = re.compile(r"(?:\d{2,3}[\s,;]{1,2}){7,}\d{2,3}")
_ESCAPED = re.compile(r"\\u\{?[0-9A-Fa-f]{2,6}\}?|\\x[0-9A-Fa-f]{2}|\\[0-7]{3}|U\+[0-9A-Fa-f]{4,6}\s?")
_MORSE = re.compile(r"(?:[.\-•·−–_]{1,6}(?:[ \t]{1,3}|\s?[/|]\s?|\n)){6,}[.\-•·−–_]{1,6}")
_BROKEN = re.compile(r"(?<=[A-Za-z0-9+/=_-])\r?\n(?=[A-Za-z0-9+/=_-])")
_CALL = re.compile(r"[^0-9A-Fa-f]|0x|\\x")
_URL_SAFE = str.maketrans("-_", "+/")

_LEAST = 6
"""Characters of decoded text below which it says nothing."""

_DOTS = (
    "A.- B-... C-.-. D-.. E. F..-. G--. H.... I.. J.--- K-.- L.-.. M-- N-. O--- P.--. Q--.- R.-. S... T- U..- V...- "
    "W.-- X-..- Y-.-- Z--.. 0----- 1.---- 2..--- 3...-- 4....- 5..... 6-.... 7--... 8---.. 9----. ..-.-.- ,--..-- "
    "?..--.. '.----. !-.-.-- /-..-. :---... @.--.-."
)
MORSE = {row[0].lower(): row[1:] for row in _DOTS.split()}
_MORSE_CODE = {code: letter for letter, code in MORSE.items()}
_DASHES = str.maketrans("•·−–_", "..---")


def decodings(text: str) -> Iterator[str]:
    """The text with its escapes undone, and what each run of it stands for that is encoded."""
    yield from _unescaped(text)
    joined = _BROKEN.sub("", text)
    for pattern, decode in _RUNS:
        plain = [plain for found in pattern.finditer(joined) if (plain := _tried(decode, found[0]))]
        if plain:
            yield " ".join(plain)


def _unescaped(text: str) -> Iterator[str]:
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    if "&" in text and (plain := unescape(text)) != text:
        yield plain
    if "\\" in text or "U+" in text:
        plain = _ESCAPED.sub(_character, text)
        if plain != text:
            yield plain
    if "=" in text and re.search(r"=[0-9A-F]{2}|=\r?\n", text):
        yield quopri.decodestring(text.encode("utf-8", "replace")).decode(errors="replace")


def _character(found: re.Match[str]) -> str:
    escape = found[0].strip()
    base = 8 if escape[1].isdigit() else 16
    code = int(escape.lstrip("\\uxU+").strip("{}") or "0", base)
    return chr(code) if code <= 0x10FFFF else ""


def _tried(decode: Callable[[str], bytes | str], run: str) -> str:
    """What a run stands for, where that is text."""
    try:
        plain = decode(run)
        text = plain.decode() if isinstance(plain, bytes) else plain
    except (Error, ValueError):
        return ""
    seen = sum(map(str.isprintable, text)) + text.count("\n") + text.count("\t")
    return text if len(text) >= _LEAST and seen >= 0.9 * len(text) else ""


def _base64(run: str) -> bytes:
    run = run.rstrip("=").translate(_URL_SAFE)
    if len(run) % 4 == 1:
        run = run[:-1]
    return _whole_characters(a2b_base64(run + "=" * (-len(run) % 4)))


def _whole_characters(data: bytes) -> bytes:
    """Without the beginning of a character that the end of the run cut off."""
    return data.decode(errors="ignore").encode() if data[-3:].count(0) == 0 else data


def _base32(run: str) -> bytes:
    run = run.rstrip("=").upper()
    if len(run) % 8 in (1, 3, 6):
        run = run[:-1]
    return b32decode(run + "=" * (-len(run) % 8))


def _hex(run: str) -> bytes:
    digits = _CALL.sub("", run)
    return a2b_hex(digits[: len(digits) & ~1])


def _binary(run: str) -> bytes:
    groups = run.replace(",", " ").split()
    if len(groups) == 1:
        groups = re.findall(r"[01]{8}", run)
    return bytes(int(group, 2) for group in groups)


def _codes(run: str) -> bytes:
    groups = re.findall(r"\d+", run)
    octal = all(len(group) == 3 and group < "178" and not set(group) & {"8", "9"} for group in groups)
    return bytes(int(group, 8 if octal else 10) for group in groups)


def _base85(run: str) -> bytes:
    return a85decode(run, adobe=True)


def _base85_bare(run: str) -> bytes:
    return b85decode(run)


def _morse(run: str) -> str:
    words = re.split(r"\s*[/|]\s*|\s{2,}", run.translate(_DASHES).strip())
    return " ".join("".join(_MORSE_CODE.get(letter, "") for letter in word.split()) for word in words)


_RUNS: tuple[tuple[re.Pattern[str], Callable[[str], bytes | str]], ...] = (
    (_BASE64, _base64),
    (_BASE32, _base32),
    (_HEX, _hex),
    (_BINARY, _binary),
    (_CODES, _codes),
    (_BASE85, _base85),
    (re.compile(r"\S{20,}"), _base85_bare),
    (_MORSE, _morse),
)

_ALPHABET = string.ascii_lowercase

_WORDS = (
    "ignore instructions previous prompt system answer question response pretend would should that this your from have "
    "will they write about following print model never forget everything just stop alles nicht jetzt todo tout"
)


Cipher = Callable[[str], str]


def _replacing(lower: str) -> Cipher:
    """Puts these letters for those of the alphabet."""
    table = str.maketrans(_ALPHABET + _ALPHABET.upper(), lower + lower.upper())
    return lambda text: text.translate(table)


def _shifting(by: int) -> Cipher:
    return _replacing(_ALPHABET[by:] + _ALPHABET[:by])


def _backwards(text: str) -> str:
    """From its end; the words too stand in their order where only their letters were turned round."""
    return f"{text[::-1]}\n{' '.join(word[::-1] for word in text.split(' '))}"


_atbash = _replacing(_ALPHABET[::-1])

CIPHERS: dict[str, Cipher] = {
    **{f"rot{by}": _shifting(26 - by) for by in range(1, 26)},
    "atbash": _atbash,
    "backwards": _backwards,
}
"""Ciphers by name: how a text is read that was written in it."""

ENCIPHERED: dict[str, Cipher] = {
    **{f"rot{by}": _shifting(by) for by in range(1, 26)},
    "atbash": _atbash,
    "backwards": lambda text: text[::-1],
}
"""By the same names: what a word looks like that was written in it."""


def telltales() -> dict[str, list[str]]:
    """By cipher: what some words that most orders hold look like in it."""
    return {name: [encipher(word) for word in _WORDS.split()] for name, encipher in ENCIPHERED.items()}
