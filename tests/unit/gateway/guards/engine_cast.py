"""Guards for tests of the engine: rules of every kind, and texts with what they find, whole, broken and encoded."""

import base64
import re
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote

from hypothesis import strategies as st

from gateway.guards.base import Action, Around, Guard, Guarding, Replacement, Role, Rule, Terms
from gateway.guards.engine import Engine, Stream
from gateway.guards.replacing import replacer

CARD = "4111111111111111"
EMAIL = "ada@example.com"
TOKEN = "tok_" + "a1B2" * 12
BLOCK = "-----BEGIN THING-----\nAAAA\nBBBB" + "cC+/" * 30 + "\n-----END THING-----"


def luhn(value: str, around: Around) -> float:
    digits = [int(each) for each in value if each.isdigit()][::-1]
    doubled = [each if place % 2 == 0 else sum(divmod(2 * each, 10)) for place, each in enumerate(digits)]
    return float(sum(doubled) % 10 == 0)


def beside_its_word(value: str, around: Around) -> float:
    return 0.9 if "badge" in around.before else 0.1


CARD_RULE = Rule(
    guard="numbers",
    name="CARD",
    scan=r"[0-9](?:[ .\n-]?[0-9]){12}",
    pattern=r"(?<![0-9])[0-9](?:[ .\n-]?[0-9]){12,18}(?![0-9])",
    check=luhn,
    shows=4,
)
EMAIL_RULE = Rule(
    guard="numbers",
    name="EMAIL",
    scan=r"@[A-Za-z0-9]",
    pattern=r"(?<![\w.+])[\w.+]{1,40}@[a-zA-Z0-9]{1,20}",
    tail=r"[\w.-]",
)
BADGE_RULE = Rule(
    guard="numbers", name="BADGE", scan=r"[0-9]{5}", pattern=r"(?<![0-9])[0-9]{5}(?![0-9])", check=beside_its_word
)
TOKEN_RULE = Rule(
    guard="keys", name="TOKEN", scan="tok_[A-Za-z0-9]{8}", pattern=r"(?<!\w)tok_[A-Za-z0-9]{8,60}", tail=r"\w", first=5
)
BLOCK_RULE = Rule(
    guard="keys",
    name="BLOCK",
    scan="-----BEGIN THING-----",
    pattern="-----BEGIN THING-----",
    tail=r"[A-Za-z0-9+/=\s-]",
    until="-----END THING-----",
)
LONG_RULE = Rule(guard="keys", name="LONG", scan="[xX]{5}", pattern=r"(?<![xX])[xX]{5,64}(?![xX])")
FORBIDDEN_RULE = Rule(guard="words", name="FORBIDDEN", scan="(?i)forbidden", pattern=r"(?i)(?<!\w)forbidden(?!\w)")


class Words:
    """Finds `banana` and `banana split`, the longer first."""

    guard, name, tail, first, shows = "words", "FRUIT", "", 0, 0

    def search(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        found = re.compile(r"(?<!\w)banana(?: split)?(?!\w)").search(text, start)
        return found.span() if found and found.start() < end else None


def a_guard(name: str, *rules: Rule, finder: Words | None = None) -> Guard:
    return Guard(
        name=name,
        title=name,
        help="",
        actions=tuple(Action),
        rules=lambda guarding, terms: rules,
        finders=(lambda guarding, terms: [finder]) if finder else None,
    )


KNOWN = {
    "numbers": a_guard("numbers", CARD_RULE, EMAIL_RULE, BADGE_RULE),
    "keys": a_guard("keys", TOKEN_RULE, BLOCK_RULE, LONG_RULE),
    "words": a_guard("words", FORBIDDEN_RULE, finder=Words()),
}


def an_engine(*, numbers: Action = Action.REDACT, keys: Action = Action.REDACT, words: Action = Action.LOG) -> Engine:
    actions = {"numbers": numbers, "keys": keys, "words": words}
    terms = tuple(Terms(guard=name, action=action, replacement=Replacement.MASK) for name, action in actions.items())
    return Engine(Guarding(policy_id=1, terms=terms, key=b"k" * 32, budget_ms=60_000), known=KNOWN)


def a_stream(engine: Engine) -> Stream:
    return engine.stream(role=Role.ASSISTANT, place="choices[0]", replace=replacer(engine.guarding))


def _each(form: str, text: str) -> str:
    return "".join(form.format(ord(character)) for character in text)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 in base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base64 in lines": lambda text: base64.encodebytes((text + " and so on" * 9).encode()).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex apart": lambda text: text.encode().hex(" "),
    "url": quote,
    "percent": lambda text: _each("%{:02x}", text),
    "unicode escapes": lambda text: _each("\\u{:04x}", text),
    "x escapes": lambda text: _each("\\x{:02x}", text),
    "entities": lambda text: _each("&#{};", text),
    "entities without ends": lambda text: _each("&#{}", text),
    "entities with zeros": lambda text: _each("&#{:06};", text),
    "octal": lambda text: _each("\\{:03o}", text),
    "base32 in lower case": lambda text: base64.b32encode(text.encode()).decode().lower(),
    "hex in lines": lambda text: text.encode().hex("\n"),
    "UTF-16 in base64": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "UTF-16 in hex": lambda text: text.encode("utf-16-be").hex(),
    "Arabic digits": lambda text: text.translate({48 + digit: 0x660 + digit for digit in range(10)}),
    "quoted-printable": lambda text: _each("={:02X}", text),
    "full-width": lambda text: "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text),
    "zero-width": lambda text: "\u200b".join(text),
    "zero-width flood": lambda text: "\u200b\u2060\ufeff\u200d".join(text),
    "soft hyphens": lambda text: "\u00ad".join(text),
    "tags": lambda text: "\U000e0041".join(text),
    "cyrillic": lambda text: text.translate(str.maketrans("aeopcx", "аеорсх")),
    "no-break spaces": lambda text: "\u00a0".join(re.findall(".{1,4}", text, re.DOTALL)),
    "dots": lambda text: ".".join(re.findall(".{1,4}", text, re.DOTALL)),
    "lines": lambda text: "\n".join(re.findall(".{1,4}", text, re.DOTALL)),
}

VALUES = [CARD, EMAIL, TOKEN, BLOCK, "badge 12345", "12345", "forbidden", "banana split", "banana", "x" * 64, "x" * 65]
_NEAR = [
    "4111111111111112",
    "411111111111",
    "ada@",
    "@example",
    "tok_",
    "tok_short",
    "-----BEGIN",
    "-----END",
    "password:",
    "ssn",
    "badge",
    "1234",
    "123456",
    "unforbidden",
    "bananas",
    "é",
    "ﬁ",
    "…",
    "👩\u200d👩\u200d👧",
    "漢字",
    "Ω",
    "%",
    "%4",
    "\\u00",
    "&#",
    "&amp;",
    "=4",
    "MQ==",
    "a",
    ".",
    "-",
    "1",
    "0x34",
    "34",
    "QUJD",
    "https://",
    '{"key":',
    "born",
    "+49",
]
_NEAR += ["\u200b", "\u200d" * 40, "=\n", "\r\n", "\n", " ", "\x00", "\ue000", "34 ", "0x34, ", "password: ", "ssn "]


def pieces(values: list[str]) -> st.SearchStrategy[str]:
    """Values, encoded or not, whole or in part, and what is near to them."""
    encoded = st.builds(
        lambda value, encoding: ENCODINGS[encoding](value), st.sampled_from(values), st.sampled_from(sorted(ENCODINGS))
    )
    return st.one_of(
        encoded,
        st.sampled_from(_NEAR),
        st.builds(lambda text, cut: text[:cut], encoded, st.integers(1, 60)),
        st.builds(lambda text, cut: text[cut:], encoded, st.integers(1, 60)),
        st.text(max_size=8),
        st.builds(
            lambda times, what: what * times,
            st.integers(1, 90),
            st.sampled_from(["x", "1", "A", "41", " ", "%", "a b "]),
        ),
    )


@st.composite
def chunked(draw: st.DrawFn, values: list[str]) -> tuple[str, list[str]]:
    """A text, and the same in pieces."""
    text = "".join(draw(st.lists(pieces(values), min_size=1, max_size=20)))
    if draw(st.booleans()):
        step = draw(st.integers(1, 9))
        cuts = [*range(0, len(text), step), len(text)]
    else:
        cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=12))})
    return text, [text[first:last] for first, last in pairwise(cuts)]
