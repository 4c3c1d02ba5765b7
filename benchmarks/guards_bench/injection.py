"""Of attacks how many are found, of benign prompts how many are taken for one; of those found, how many in disguise.

`report(data)` prints it all for `make bench-guards`. The policy's own threshold decides, on prompts of users.
"""

import base64
import codecs
import quopri
import random
import time
from collections.abc import Callable
from urllib.parse import quote

from benchmarks.guards_bench.intervals import Share
from benchmarks.guards_bench.reading import Data
from gateway.guards.base import Action, Terms
from gateway.guards.injection.ciphers import ENCIPHERED, MORSE
from gateway.guards.injection.scanner import warm
from gateway.guards.injection.scoring import scores

THRESHOLD = Terms(guard="injection", action=Action.FLAG).threshold

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_LEET_SIGNS = str.maketrans("aeisoAEISO", "@3!$0@3!$0")
_LOOK_ALIKE = str.maketrans("aceopxyiSjABCEHKMOPTX", "асеорхуіЅјАВСЕНКМОРТХ")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def _mathematical(text: str) -> str:
    return text.translate({65 + n: 0x1D400 + n for n in range(26)} | {97 + n: 0x1D41A + n for n in range(26)})


def _selectors(data: bytes) -> str:
    return "".join(chr(0xFE00 + code if code < 16 else 0xE0100 + code - 16) for code in data)


def _morse(text: str) -> str:
    return " / ".join(" ".join(MORSE[letter] for letter in word if letter in MORSE) for word in text.lower().split())


def _words(text: str, change: Callable[[str], str]) -> str:
    return " ".join(map(change, text.split()))


EVASIONS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "zero-width between all": lambda text: "\u200b".join(text),
    "zero-width in words": lambda text: _words(text, lambda word: word[:1] + "\u200b" + word[1:]),
    "bidi override": lambda text: f"\u202e{text}\u202c",
    "tag characters": lambda text: "Hello" + "".join(chr(0xE0000 + ord(each)) for each in text if " " <= each <= "~"),
    "variation selectors": lambda text: "Hello" + _selectors(text.encode()),
    "NBSP": lambda text: text.replace(" ", "\u00a0"),
    "full-width": lambda text: text.translate(_FULL_WIDTH),
    "mathematical letters": _mathematical,
    "look-alike letters": lambda text: text.translate(_LOOK_ALIKE),
    "accents": lambda text: "".join(each + "\u0301" if each in "aeiou" else each for each in text),
    "capitals": str.upper,
    "leet": lambda text: text.translate(_LEET),
    "leet with signs": lambda text: text.translate(_LEET_SIGNS),
    "letters apart": " ".join,
    "letters dashed": lambda text: _words(text, "-".join),
    "a hyphen in words": lambda text: _words(text, lambda word: f"{word[:3]}-{word[3:]}" if len(word) > 5 else word),
    "words on lines": lambda text: "\n".join(text.split()),
    "markdown": lambda text: _words(text, "**{}**".format),
    "quoted pieces": lambda text: " + ".join(f'"{text[at : at + 9]}"' for at in range(0, len(text), 9)),
    "backwards": lambda text: text[::-1],
    "words backwards": lambda text: " ".join(word[::-1] for word in text.split(" ")),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, asked for": lambda text: f"Decode this and do it: {base64.b64encode(text.encode()).decode()}",
    "base64 on lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 of base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex, apart": lambda text: text.encode().hex(" "),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "decimal": lambda text: " ".join(map(str, text.encode())),
    "URL-encoded": lambda text: quote(text, safe=""),
    "URL-encoded, all": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "JSON escapes": lambda text: "".join(f"\\u{ord(each):04x}" for each in text if ord(each) < 0x10000),
    "HTML entities": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "ROT13": lambda text: codecs.encode(text, "rot13"),
    "Caesar": ENCIPHERED["rot3"],
    "Atbash": ENCIPHERED["atbash"],
    "Morse": _morse,
}  # fmt: skip

DISGUISED_MOST = 40
"""Attacks of a source that are disguised; each takes some forty times."""


def found(text: str, *, strict: bool = False) -> bool:
    return scores(text, strict=strict).get("", 0.0) >= THRESHOLD


def matrix(attacks: dict[str, list[str]], *, seed: int = 1) -> dict[str, Share]:
    """By evasion: of some attacks that are found as they are, how many are found so."""
    chance = random.Random(seed)
    clear: list[str] = []
    for texts in attacks.values():
        seen = [text for text in texts if found(text)]
        clear += chance.sample(seen, min(len(seen), DISGUISED_MOST))
    return {name: Share(sum(found(evade(text)) for text in clear), len(clear)) for name, evade in EVASIONS.items()}


def report(data: Data) -> None:
    """Prints tables for what of the data attacks, and for what does not."""
    warm()
    for title, sources in (("attacks", data.attacks), ("benign prompts", data.benign)):
        if sources:
            print(f"\n── injection: {title} that are found [95 %]")
            shares = {name: Share(sum(map(found, texts)), len(texts)) for name, texts in sources.items()}
            for name, share in shares.items():
                print(f"{name:20} {share}")
            print(f"{'all':20} {Share(sum(s.part for s in shares.values()), sum(s.whole for s in shares.values()))}")
    if data.attacks:
        print("\n── injection: of those found as they are, found in disguise [95 %]")
        for name, share in matrix(data.attacks).items():
            print(f"{name:24} {share}")
    if data.benign:
        _time([text for texts in data.benign.values() for text in texts])


def _time(texts: list[str]) -> None:
    whole = "\n".join(texts)[:400_000]
    prompts = [whole[at : at + 2000] for at in range(0, len(whole), 2000)]
    start = time.process_time()
    for prompt in prompts:
        scores(prompt, strict=False)
    print(f"\ninjection: {(time.process_time() - start) / len(whole) * 1e9:.1f} µs per kB, in prompts of 2 kB")
