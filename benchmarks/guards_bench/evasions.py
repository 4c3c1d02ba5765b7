"""Ways in which identifiers are written so that filters do not see them, and how many are found all the same."""

import base64
from collections.abc import Callable, Sequence
from urllib.parse import quote

from benchmarks.guards_bench.identifiers import Find, rule_of
from benchmarks.guards_bench.intervals import Share
from benchmarks.guards_bench.reading import Document, Span

EVADED = ("CARD", "IBAN", "EMAIL", "PHONE", "US_SSN", "IP_ADDRESS")
"""Rules whose values are evaded."""

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_LOOK_ALIKE = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")


def _apart(value: str, between: str, size: int = 4) -> str:
    """In groups, as people write cards and accounts; what has separators of its own keeps its groups.

    Addresses have no groups: they stay as they are.
    """
    if "@" in value or ":" in value or value.count(".") == 3:
        return value
    if not value.isalnum():
        return "".join(between if char in " -." else char for char in value)
    return between.join(value[at : at + size] for at in range(0, len(value), size))


def _middle(value: str, between: str) -> str:
    half = len(value) // 2
    return value[:half] + between + value[half:]


EVASIONS: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "zero-width between all": lambda value: "\u200b".join(value),
    "zero-width joiner in the middle": lambda value: _middle(value, "\u200d"),
    "soft hyphens": lambda value: "\u00ad".join(value),
    "bidi marks": lambda value: "\u202a" + value + "\u202c",
    "NBSP groups": lambda value: _apart(value, "\u00a0"),
    "full-width": lambda value: value.translate(_FULL_WIDTH),
    "mathematical digits": lambda value: value.translate({48 + digit: 0x1D7CE + digit for digit in range(10)}),
    "dotted": lambda value: _apart(value, "."),
    "hyphens": lambda value: _apart(value, "-"),
    "newline-split": lambda value: _middle(value, "\n"),
    "newline groups": lambda value: _apart(value, "\n"),
    "look-alike letters": lambda value: value.translate(_LOOK_ALIKE),
    "URL-encoded": lambda value: quote(value, safe=""),
    "URL-encoded, all": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "hex": lambda value: value.encode().hex(),
    "hex, apart": lambda value: value.encode().hex(" "),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, of a sentence": lambda value: base64.b64encode(f"My number is {value}.".encode()).decode(),
    "base64 of base64": lambda value: base64.b64encode(base64.b64encode(value.encode())).decode(),
    "base32": lambda value: base64.b32encode(value.encode()).decode(),
    "HTML entities": lambda value: "".join(f"&#{ord(char)};" for char in value),
    "JSON escapes": lambda value: "".join(f"\\u{ord(char):04x}" for char in value),
    "quoted-printable": lambda value: "".join(f"={byte:02X}" for byte in value.encode()),
}


def matrix(documents: Sequence[Document], find: Find, *, each: int = 150) -> dict[str, dict[str, Share]]:
    """By rule and evasion: how many of the values that are found in clear are found evaded, where they stand.

    `each`: at most so many values of a rule, the first ones.
    """
    clear: dict[str, list[tuple[Document, Span]]] = {}
    for document in documents:
        for span in document.spans:
            rule = rule_of(span.type)
            if rule in EVADED and len(clear.get(rule, ())) < each and _found(rule, document, span, str, find):
                clear.setdefault(rule, []).append((document, span))
    return {
        rule: {
            name: Share(sum(_found(rule, *place, evade, find) for place in places), len(places))
            for name, evade in EVASIONS.items()
        }
        for rule, places in sorted(clear.items())
    }


def _found(rule: str, document: Document, span: Span, evade: Callable[[str], str], find: Find) -> bool:
    value = evade(document.text[span.start : span.end])
    end = span.start + len(value)
    text = document.text[: span.start] + value + document.text[span.end :]
    return any(one.rule == rule and one.start < end and span.start < one.end for one in find(text))
